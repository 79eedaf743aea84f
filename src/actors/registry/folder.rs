//! What the registry knows of the profiles folder: which files it took, in which state, and which are broken. Pure:
//! told what a look found, it says what to read, what to take and what to drop.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::protocol::fault::Place;
use crate::protocol::registry::BrokenFile;

/// A file as a look sees it, without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) modified_ms: i64,
    pub(super) bytes: u64,
    /// Times and sizes of the files of its test folder, put together.
    pub(super) test: u64,
}

#[derive(Debug, Clone, Default)]
struct File {
    /// Absent: it must be read again.
    stamp: Option<Stamp>,
    /// The profile that was taken from it last; a fault that came later leaves it in force.
    taken: Option<(ProfileId, Digest)>,
    problems: Vec<Place>,
}

/// Files by path below the folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    files: BTreeMap<String, File>,
    /// The file of each profile.
    owners: HashMap<ProfileId, String>,
    /// Why the folder itself could not be used.
    unusable: Option<Place>,
    looked: bool,
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
        self.files.get(path).is_none_or(|file| file.stamp.as_ref() != Some(stamp))
    }

    /// Whether the files of the profile's test are those of the last look.
    pub(super) fn has_same_test(&self, path: &str, stamp: &Stamp) -> bool {
        self.files.get(path).and_then(|file| file.stamp.as_ref()).is_some_and(|known| known.test == stamp.test)
    }

    pub(super) fn judge(&self, path: &str, id: &ProfileId, digest: Digest) -> Verdict {
        match self.owners.get(id) {
            Some(other) if other != path => Verdict::Twice { other: other.clone() },
            Some(_) if self.files.get(path).is_some_and(|file| file.taken == Some((id.clone(), digest))) => {
                Verdict::Same
            }
            _ => Verdict::Take,
        }
    }

    /// Notes a profile as taken. Returns the one that the file held before, where that was another: it is gone.
    pub(super) fn took(&mut self, path: &str, stamp: Stamp, id: ProfileId, digest: Digest) -> Option<ProfileId> {
        let before = self.files.get(path).and_then(|file| file.taken.clone()).map(|(before, _)| before);
        let gone = before.filter(|before| *before != id);
        if let Some(gone) = &gone {
            self.owners.remove(gone);
        }
        self.owners.insert(id.clone(), path.to_owned());
        let file = File { stamp: Some(stamp), taken: Some((id, digest)), problems: Vec::new() };
        self.files.insert(path.to_owned(), file);
        gone
    }

    /// Notes a broken file. A good version that was taken from it before stays in force.
    pub(super) fn broke(&mut self, path: &str, stamp: Stamp, problems: Vec<Place>) {
        let file = self.files.entry(path.to_owned()).or_default();
        (file.stamp, file.problems) = (Some(stamp), problems);
    }

    /// Forgets files that are gone and returns the profiles that they held. Broken files are read again then: a doubled
    /// id may have become free. Whether a profile is really gone, `holds` tells after the new files were taken.
    pub(super) fn forget_missing(&mut self, present: &HashSet<&str>) -> Vec<ProfileId> {
        let before = self.files.len();
        let mut ids = Vec::new();
        self.files.retain(|path, file| {
            let stays = present.contains(path.as_str());
            if !stays {
                ids.extend(file.taken.take().map(|(id, _)| id));
            }
            stays
        });
        for id in &ids {
            self.owners.remove(id);
        }
        if self.files.len() < before {
            self.files.values_mut().filter(|file| !file.problems.is_empty()).for_each(|file| file.stamp = None);
        }
        ids
    }

    pub(super) fn holds(&self, id: &ProfileId) -> bool {
        self.owners.contains_key(id)
    }

    /// True the first time: what an earlier process took from files that are gone must then be found.
    pub(super) fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.looked, true)
    }

    pub(super) fn set_unusable(&mut self, place: Option<Place>) {
        self.unusable = place;
    }

    pub(super) fn broken(&self) -> Vec<BrokenFile> {
        let own =
            self.unusable.iter().map(|place| BrokenFile { path: place.at.clone(), problems: vec![place.clone()] });
        let files = self.files.iter().filter(|(_, file)| !file.problems.is_empty());
        let files = files.map(|(path, file)| BrokenFile { path: path.clone(), problems: file.problems.clone() });
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
        Stamp { modified_ms: 0, bytes, test: 0 }
    }

    fn broken(folder: &mut Folder, path: &str) {
        folder.broke(path, stamp(1), vec![Place { at: format!("{path}:1:1"), reason: "no".into() }]);
    }

    #[test]
    fn two_files_cannot_hold_one_id_until_one_is_gone() {
        let mut folder = Folder::default();
        folder.took("a.yaml", stamp(1), id("p"), Digest::of(b"1"));
        assert_eq!(folder.judge("b.yaml", &id("p"), Digest::of(b"2")), Verdict::Twice { other: "a.yaml".into() });
        assert_eq!(folder.judge("a.yaml", &id("p"), Digest::of(b"1")), Verdict::Same);
        assert_eq!(folder.judge("a.yaml", &id("p"), Digest::of(b"2")), Verdict::Take);
        broken(&mut folder, "b.yaml");
        assert_eq!(folder.forget_missing(&HashSet::from(["b.yaml"])), [id("p")]);
        assert!(folder.must_read("b.yaml", &stamp(1)), "the copy has its chance now");
        assert_eq!(folder.judge("b.yaml", &id("p"), Digest::of(b"2")), Verdict::Take);
    }

    #[test]
    fn a_file_is_read_again_only_when_its_stamp_changes() {
        let mut folder = Folder::default();
        broken(&mut folder, "a.yaml");
        assert!(!folder.must_read("a.yaml", &stamp(1)));
        assert!(folder.must_read("a.yaml", &stamp(2)));
        assert!(folder.must_read("b.yaml", &stamp(1)));
        let tested = Stamp { test: 7, ..stamp(1) };
        assert!(folder.must_read("a.yaml", &tested) && !folder.has_same_test("a.yaml", &tested));
    }

    #[test]
    fn a_broken_file_keeps_what_was_taken_from_it_until_it_is_gone() {
        let mut folder = Folder::default();
        folder.took("a.yaml", stamp(1), id("p"), Digest::of(b"1"));
        broken(&mut folder, "a.yaml");
        assert!(folder.holds(&id("p")));
        assert_eq!(folder.broken().len(), 1);
        assert_eq!(folder.forget_missing(&HashSet::new()), [id("p")]);
        assert!(folder.broken().is_empty() && !folder.holds(&id("p")));
    }

    #[test]
    fn a_file_that_changes_its_id_gives_up_the_old_one() {
        let mut folder = Folder::default();
        assert_eq!(folder.took("a.yaml", stamp(1), id("p"), Digest::of(b"1")), None);
        assert_eq!(folder.took("a.yaml", stamp(2), id("q"), Digest::of(b"2")), Some(id("p")));
        assert!(folder.holds(&id("q")) && !folder.holds(&id("p")));
    }
}
