//! What the registry knows of the profiles folder: which files it took, in which state, and which are broken. Pure:
//! told what a look found, it says what to read, what to take and what to drop.

use std::collections::BTreeMap;

use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::protocol::fault::Place;
use crate::protocol::registry::BrokenFile;

/// A file as a look sees it, without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) modified_ms: i64,
    pub(super) bytes: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Held {
    Taken { id: ProfileId, digest: Digest },
    Broken(Vec<Place>),
}

/// Files by path below the folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    files: BTreeMap<String, (Stamp, Held)>,
    /// Why the folder itself could not be read.
    unreadable: Option<Place>,
}

/// What to do about one file.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// The content is what was taken before.
    Same,
    /// Take it as the current version.
    Take,
    /// Another file has this id already.
    Twice { other: String },
}

impl Folder {
    /// Whether a file must be read: it is new, or its stamp differs.
    pub(super) fn must_read(&self, path: &str, stamp: &Stamp) -> bool {
        self.files.get(path).is_none_or(|(known, _)| known != stamp)
    }

    pub(super) fn judge(&self, path: &str, id: &ProfileId, digest: Digest) -> Verdict {
        for (other, (_, held)) in &self.files {
            let Held::Taken { id: taken, digest: had } = held else { continue };
            if taken != id {
                continue;
            }
            if other != path {
                return Verdict::Twice { other: other.clone() };
            }
            if *had == digest {
                return Verdict::Same;
            }
        }
        Verdict::Take
    }

    pub(super) fn took(&mut self, path: &str, stamp: Stamp, id: ProfileId, digest: Digest) {
        self.files.insert(path.to_owned(), (stamp, Held::Taken { id, digest }));
    }

    /// Notes a broken file. A good version that was taken from it before stays in force.
    pub(super) fn broke(&mut self, path: &str, stamp: Stamp, problems: Vec<Place>) {
        self.files.insert(path.to_owned(), (stamp, Held::Broken(problems)));
    }

    /// Forgets files that are gone and returns the profiles that went with them, unless another file has them.
    pub(super) fn keep_only(&mut self, present: &[String]) -> Vec<ProfileId> {
        let gone: Vec<String> = self.files.keys().filter(|path| !present.contains(path)).cloned().collect();
        let mut ids = Vec::new();
        for path in gone {
            if let Some((_, Held::Taken { id, .. })) = self.files.remove(&path) {
                ids.push(id);
            }
        }
        ids
    }

    pub(super) fn set_unreadable(&mut self, place: Option<Place>) {
        self.unreadable = place;
    }

    pub(super) fn broken(&self) -> Vec<BrokenFile> {
        let own =
            self.unreadable.iter().map(|place| BrokenFile { path: place.at.clone(), problems: vec![place.clone()] });
        let files = self.files.iter().filter_map(|(path, (_, held))| match held {
            Held::Broken(problems) => Some(BrokenFile { path: path.clone(), problems: problems.clone() }),
            Held::Taken { .. } => None,
        });
        own.chain(files).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ProfileId {
        ProfileId::parse(text).unwrap()
    }

    fn stamp(bytes: u64) -> Stamp {
        Stamp { modified_ms: 0, bytes }
    }

    #[test]
    fn two_files_cannot_hold_one_id() {
        let mut folder = Folder::default();
        folder.took("a.yaml", stamp(1), id("p"), Digest::of(b"1"));
        assert_eq!(folder.judge("b.yaml", &id("p"), Digest::of(b"2")), Verdict::Twice { other: "a.yaml".into() });
        assert_eq!(folder.judge("a.yaml", &id("p"), Digest::of(b"1")), Verdict::Same);
        assert_eq!(folder.judge("a.yaml", &id("p"), Digest::of(b"2")), Verdict::Take);
    }

    #[test]
    fn a_file_is_read_again_only_when_its_stamp_changes() {
        let mut folder = Folder::default();
        folder.broke("a.yaml", stamp(1), vec![]);
        assert!(!folder.must_read("a.yaml", &stamp(1)));
        assert!(folder.must_read("a.yaml", &stamp(2)));
        assert!(folder.must_read("b.yaml", &stamp(1)));
    }

    #[test]
    fn what_is_gone_is_named() {
        let mut folder = Folder::default();
        folder.took("a.yaml", stamp(1), id("p"), Digest::of(b"1"));
        folder.broke("b.yaml", stamp(1), vec![Place { at: "b.yaml:1:1".into(), reason: "no".into() }]);
        assert_eq!(folder.broken().len(), 1);
        assert_eq!(folder.keep_only(&["b.yaml".into()]), [id("p")]);
        assert!(folder.keep_only(&[]).is_empty());
        assert!(folder.broken().is_empty());
    }
}
