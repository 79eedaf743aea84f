//! One look at the profiles folder: find what changed by time and size, read only that, take what is good, note what
//! is broken. Polling works alike on local disks, network mounts and ConfigMaps (docs/adr).

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::folder::{Folder, Stamp, Verdict};
use super::{Seed, version_of};
use tokio::io::AsyncReadExt;

use crate::domain::ids::{ProfileId, TenantId};
use crate::pipeline::proof::prove_beside;
use crate::profiles;
use crate::protocol::fault::{Code, Fault, Place};
use crate::protocol::paging::{MAX_LIMIT, PageRequest};
use crate::protocol::registry::{Origin, PutMode};

/// Files beyond this are not looked at, and that is reported.
const MAX_FILES: usize = 20_000;
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Folders below each other; deeper ones (a link that leads back) are not looked at.
const MAX_DEPTH: usize = 16;

/// Looks once and returns what is known then. A folder that cannot be used changes nothing but that report.
pub(super) async fn look(seed: Seed, path: PathBuf, mut folder: Folder) -> Folder {
    let root = path.clone();
    let found = match tokio::task::spawn_blocking(move || list(&root)).await {
        Ok(Ok(found)) => found,
        Ok(Err(reason)) => {
            folder.set_unusable(Some(Place { at: path.display().to_string(), reason }));
            return folder;
        }
        Err(_) => return folder,
    };
    folder.set_unusable(None);
    let present: HashSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let mut gone = folder.forget_missing(&present);
    for (name, stamp) in &found {
        if folder.must_read(name, stamp) {
            gone.extend(take(&seed, &mut folder, &path, name, stamp.clone()).await);
        }
    }
    if folder.begin() {
        gone.extend(left_behind(&seed, &mut folder, &path, found.is_empty()).await);
    }
    // A renamed file was taken again by now, so its profile is not gone.
    gone.retain(|id| !folder.holds(id));
    remove(&seed, gone).await;
    folder
}

/// Profiles that an earlier process took from files which are not there any more. A folder without any file is more
/// likely not mounted than emptied: nothing is removed then, and it is said.
async fn left_behind(seed: &Seed, folder: &mut Folder, path: &Path, is_empty: bool) -> Vec<ProfileId> {
    let tenant = seed.store.tenant(&TenantId::default());
    let (mut left, mut page) = (Vec::new(), PageRequest { limit: Some(MAX_LIMIT), cursor: None });
    loop {
        let found = match tenant.profiles(None, &page).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the profiles of removed files could not be looked for");
                return Vec::new();
            }
        };
        let of_folder = found.items.into_iter().filter(|profile| profile.origin == Origin::Folder);
        left.extend(of_folder.map(|profile| profile.id).filter(|id| !folder.holds(id)));
        match found.next {
            Some(next) => page.cursor = Some(next),
            None => break,
        }
    }
    if is_empty && !left.is_empty() {
        let reason =
            format!("holds no profile, but {} were taken from it before; they stay until it holds one", left.len());
        folder.set_unusable(Some(Place { at: path.display().to_string(), reason }));
        return Vec::new();
    }
    left
}

async fn remove(seed: &Seed, gone: Vec<ProfileId>) {
    let tenant = seed.store.tenant(&TenantId::default());
    for id in gone {
        match tenant.delete_profile(&id, seed.clock.now_ms()).await {
            Ok(()) => seed.tell(&id, "deleted"),
            Err(error) => tracing::warn!(profile = %id, %error, "a removed file's profile could not be deleted"),
        }
    }
}

/// Takes one file. Returns the profile that it held before, where it names another now.
async fn take(seed: &Seed, folder: &mut Folder, root: &Path, name: &str, stamp: Stamp) -> Option<ProfileId> {
    let broken = |reason: String| vec![Place { at: name.to_owned(), reason }];
    let text = match read(&root.join(name), &stamp).await {
        Ok(text) => text,
        Err(reason) => {
            folder.broke(name, stamp, broken(reason));
            return None;
        }
    };
    let profile = match profiles::load(&text) {
        Ok(profile) => profile,
        Err(problems) => {
            folder.broke(name, stamp, problems.places(Some(name)));
            return None;
        }
    };
    let (id, digest) = (profile.id().clone(), *profile.digest());
    match folder.judge(name, &id, digest) {
        Verdict::Same if folder.has_same_test(name, &stamp) => return folder.took(name, stamp, id, digest),
        Verdict::Twice { other } => {
            let reason = format!("id {id} is defined in {other} too; ids must be unique");
            folder.broke(name, stamp, broken(reason));
            return None;
        }
        Verdict::Same | Verdict::Take => {}
    }
    if let Err(reason) = test_holds(&profile, &root.join(name)).await {
        folder.broke(name, stamp, broken(reason));
        return None;
    }
    let version = version_of(&profile, &text, Origin::Folder, Some(name.to_owned()));
    match put(seed, version).await {
        Ok(()) => folder.took(name, stamp, id, digest),
        Err(fault) => {
            // Not noted as seen: the next look tries again.
            tracing::warn!(file = %name, %fault, "a profile could not be stored");
            None
        }
    }
}

/// The folder wins whenever a file changes. At the first look after a start it cannot tell whether it changed, so a
/// version that came by the API stays, when the file's content is one that was known before it.
async fn put(seed: &Seed, version: crate::store::NewVersion) -> Result<(), Fault> {
    let tenant = seed.store.tenant(&TenantId::default());
    match tenant.profile(&version.id, None).await.map_err(Fault::from) {
        Ok(current) if current.summary.digest == version.digest => return Ok(()),
        Ok(current) if current.summary.origin == Origin::Api => {
            let known = tenant.versions(&version.id).await?;
            if known.iter().any(|other| other.digest == version.digest) {
                return Ok(());
            }
        }
        Ok(_) => {}
        Err(fault) if fault.code == Code::UnknownProfile => {}
        Err(fault) => return Err(fault),
    }
    let id = version.id.clone();
    tenant.put_profile(version, PutMode::Replace, None, seed.clock.now_ms()).await?;
    seed.tell(&id, "put");
    Ok(())
}

/// Plays the profile's own test, where it has one.
async fn test_holds(profile: &profiles::Profile, file: &Path) -> Result<(), String> {
    let proof = prove_beside(profile, file).await.map_err(|error| format!("its test cannot be made: {error}"))?;
    match proof.and_then(|proof| proof.differences.into_iter().next()) {
        Some(first) => Err(format!("its own test fails: {first}")),
        None => Ok(()),
    }
}

async fn read(path: &Path, stamp: &Stamp) -> Result<String, String> {
    if stamp.bytes > MAX_FILE_BYTES {
        return Err(format!("the file has {} bytes; a profile has at most {MAX_FILE_BYTES}", stamp.bytes));
    }
    let file = tokio::fs::File::open(path).await.map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    // A file may grow between the look and here, or tell no length at all.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the file has more than {MAX_FILE_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line =
            1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        format!("line {line} is not UTF-8 text")
    })
}

/// All `*.yaml` and `*.yml` files below `root`, in order. Hidden folders (a ConfigMap's `..data`) are left out.
fn list(root: &Path) -> Result<Vec<(String, Stamp)>, String> {
    let mut found = Vec::new();
    let mut tests: HashMap<PathBuf, u64> = HashMap::new();
    let mut folders = VecDeque::from([(root.to_owned(), 0)]);
    while let Some((folder, depth)) = folders.pop_front() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("cannot be read: {error}"))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let Ok(about) = std::fs::metadata(&path) else { continue };
            if let Some(profile) = tested(root, &path) {
                let all = tests.entry(profile).or_default();
                *all = all.wrapping_add(mark(&path, &about));
            }
            if about.is_dir() && depth < MAX_DEPTH {
                folders.push_back((path, depth + 1));
            } else if about.is_file() && path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
                let Ok(name) = path.strip_prefix(root) else { continue };
                found.push((name.to_string_lossy().into_owned(), stamp(&about)));
            }
        }
        if found.len() > MAX_FILES {
            return Err(format!("holds more than {MAX_FILES} files"));
        }
    }
    for (name, stamp) in &mut found {
        stamp.test = tests.get(&root.join(name).with_extension("")).copied().unwrap_or(0);
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(found)
}

/// The profile, without its ending, in whose `<name>.test` a path lies.
fn tested(root: &Path, path: &Path) -> Option<PathBuf> {
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != root);
    let test = folders.filter(|folder| folder.extension().is_some_and(|ending| ending == "test")).last()?;
    Some(test.with_extension(""))
}

/// Stands for a file as it is now; the marks of several are added up, in any order.
fn mark(path: &Path, about: &std::fs::Metadata) -> u64 {
    let Stamp { modified_ms, bytes, .. } = stamp(about);
    let text = format!("{}\n{modified_ms}\n{}", path.display(), if about.is_file() { bytes } else { 0 });
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

fn stamp(about: &std::fs::Metadata) -> Stamp {
    let since = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified_ms = since.and_then(|since| i64::try_from(since.as_nanos() / 1_000_000).ok()).unwrap_or(0);
    Stamp { modified_ms, bytes: about.len(), test: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_looks_changed_when_a_file_of_its_test_is() {
        let folder = tempfile::tempdir().expect("a folder is made");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("folders are made");
            std::fs::write(path, text).expect("a file is written");
        };
        let stamps = || list(folder.path()).expect("the folder is read");
        let of = |name: &str| stamps().into_iter().find(|(known, _)| known == name).expect("it is found").1;
        write("a/one.yaml", "id: one");
        write("a/two.yaml", "id: two");
        let before = (of("a/one.yaml"), of("a/two.yaml"));
        write("a/one.test/pages/index.json", "[]");
        let made = of("a/one.yaml");
        assert_ne!(made, before.0);
        write("a/one.test/pages/index.json", "[1]");
        assert_ne!(of("a/one.yaml"), made);
        assert_eq!(of("a/two.yaml"), before.1);
        std::fs::remove_dir_all(folder.path().join("a/one.test")).expect("it is removed");
        assert_eq!(of("a/one.yaml"), before.0);
        // A profile that is kept in a test folder is found as ever.
        write("b.test/three.yaml", "id: three");
        assert_eq!(stamps().len(), 3);
    }
}
