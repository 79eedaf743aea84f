//! A drone's own key, in its data folder for its owner's eyes only. A new key is written down before anybody is told of
//! it, and takes the old one's place after it was taken, so that no crash in between leaves the drone without one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::domain::digest::Digest;
use crate::domain::secret_form::{drone_key_digest, drone_key_of};

const FILE: &str = "drone-key";
const DRAFT: &str = "drone-key.new";

/// Where the key lies.
#[derive(Debug, Clone)]
pub struct OwnKey {
    folder: PathBuf,
}

/// A key with the digest that others know it by.
#[derive(Debug, Clone)]
pub struct Secret {
    pub key: SecretString,
    pub digest: Digest,
}

impl OwnKey {
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The key in force, where there is one.
    pub fn read(&self) -> io::Result<Option<SecretString>> {
        Ok(read(&self.folder.join(FILE))?.map(|secret| secret.key))
    }

    /// The key that is to be the next one: that of an attempt that was cut off, else a new one.
    pub fn draft(&self) -> io::Result<Secret> {
        let path = self.folder.join(DRAFT);
        if let Ok(Some(secret)) = read(&path) {
            return Ok(secret);
        }
        let key = drone_key_of(rand::random());
        // One that was torn is written anew.
        let _ = std::fs::remove_file(&path);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        writeln!(file, "{key}")?;
        file.sync_all()?;
        Ok(Secret { digest: Digest::of(key.as_bytes()), key: key.into() })
    }

    /// Puts the draft in force.
    pub fn adopt(&self) -> io::Result<()> {
        std::fs::rename(self.folder.join(DRAFT), self.folder.join(FILE))?;
        File::open(&self.folder)?.sync_all()
    }
}

fn read(path: &Path) -> io::Result<Option<Secret>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let key = SecretString::from(text.trim().to_owned());
    let broken = || {
        let told = format!("{} holds no key of a drone; remove it and let the drone join again", path.display());
        io::Error::new(io::ErrorKind::InvalidData, told)
    };
    let digest = drone_key_digest(key.expose_secret().as_bytes()).ok_or_else(broken)?;
    Ok(Some(Secret { key, digest }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_draft_stays_the_same_until_it_is_adopted_and_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let own = OwnKey::in_folder(folder.path());
        assert!(own.read().unwrap().is_none());
        let first = own.draft().unwrap();
        assert_eq!(own.draft().unwrap().digest, first.digest);
        assert!(own.read().unwrap().is_none(), "not in force yet");
        own.adopt().unwrap();
        assert_eq!(own.read().unwrap().unwrap().expose_secret(), first.key.expose_secret());
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(own.draft().unwrap().digest, first.digest, "the next one is another");
    }

    #[test]
    fn a_torn_draft_is_made_anew_and_a_torn_key_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let own = OwnKey::in_folder(folder.path());
        std::fs::write(folder.path().join(DRAFT), "chartly-drone_12").unwrap();
        own.draft().unwrap();
        std::fs::write(folder.path().join(FILE), "").unwrap();
        assert!(own.read().unwrap_err().to_string().contains("join again"));
    }
}
