//! The bootstrap admin key. The gate is never silently open: where no key is set, one is made on the first start and
//! kept in the data folder for its owner's eyes only.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

const FILE: &str = "api-key";
/// A shorter text in the file is no key of ours.
const MIN_CHARS: usize = 8;

/// The key in force, and the file it lies in where we made it.
#[derive(Debug, Clone)]
pub struct AdminKey {
    pub key: SecretString,
    pub file: Option<PathBuf>,
}

impl AdminKey {
    /// The key that was set, else the one in the data folder, else a new one there.
    pub fn find(set: Option<&SecretString>, data_dir: &Path) -> io::Result<Self> {
        if let Some(key) = set {
            return Ok(Self { key: key.clone(), file: None });
        }
        let file = data_dir.join(FILE);
        if !file.try_exists()? {
            make(&file)?;
        }
        let key = match std::fs::read_to_string(&file) {
            Ok(text) if text.trim().chars().count() >= MIN_CHARS => text.trim().to_owned(),
            Ok(_) => {
                let text = format!("{} holds no key; remove it and a new one is made", file.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            Err(error) => return Err(error),
        };
        Ok(Self { key: key.into(), file: Some(file) })
    }
}

/// The file appears with its content at once, so that of several processes on a new folder all find the same key:
/// the first one's.
fn make(file: &Path) -> io::Result<()> {
    let key = format!("chartly_{}", hex::encode(rand::random::<[u8; 24]>()));
    let draft = file.with_extension(uuid::Uuid::new_v4().simple().to_string());
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(out, "{key}")?;
    out.sync_all()?;
    let linked = std::fs::hard_link(&draft, file);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_kept_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let first = AdminKey::find(None, folder.path()).unwrap();
        let second = AdminKey::find(None, folder.path()).unwrap();
        assert_eq!(first.key.expose_secret(), second.key.expose_secret());
        let mode = std::fs::metadata(first.file.unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn of_many_that_start_at_once_all_find_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let find = || AdminKey::find(None, folder.path()).unwrap().key.expose_secret().to_owned();
        let keys: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|_| scope.spawn(find)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn an_empty_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "").unwrap();
        assert!(AdminKey::find(None, folder.path()).is_err());
    }
}
