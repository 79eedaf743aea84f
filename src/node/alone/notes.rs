//! What was learnt of sources, for the next run: in memory, and in one file where there is a folder. It speaks of the
//! records that went to one place, and holds for no other.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lines::Target;
use crate::domain::ids::ProfileId;
use crate::pipeline::{CursorMark, Validators};

const FILE: &str = "notes.json";
/// Beyond this the file is none of ours.
const MAX_BYTES: u64 = 64 << 20;

/// All notes of a place. There are as many as profiles.
#[derive(Debug)]
pub(super) struct Notes {
    file: Option<PathBuf>,
    held: Held,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Held {
    /// Where the records went.
    to: String,
    profiles: BTreeMap<ProfileId, Note>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Note {
    validators: Option<Validators>,
    cursor: Option<CursorMark>,
}

impl Notes {
    /// Notes of another place, or that cannot be read, are forgotten: everything is read again then.
    pub(super) fn open(folder: Option<&Path>, target: &Target) -> Self {
        let file = folder.map(|folder| folder.join(FILE));
        let to = match target {
            Target::Stdout => "stdout".to_owned(),
            Target::File(name) => name.clone(),
        };
        let found = file.as_deref().and_then(read).filter(|held| held.to == to);
        Self { file, held: found.unwrap_or(Held { to, profiles: BTreeMap::new() }) }
    }

    pub(super) fn of(&self, profile: &ProfileId) -> (Option<Validators>, Option<CursorMark>) {
        let note = self.held.profiles.get(profile).cloned().unwrap_or_default();
        (note.validators, note.cursor)
    }

    /// The records of before are gone.
    pub(super) fn forget(&mut self, profile: &ProfileId) {
        self.held.profiles.remove(profile);
    }

    /// Replaces the profile's note, and the file as a whole.
    pub(super) fn put(
        &mut self,
        profile: &ProfileId,
        validators: Option<Validators>,
        cursor: Option<CursorMark>,
    ) -> io::Result<()> {
        self.held.profiles.insert(profile.clone(), Note { validators, cursor });
        let Some(file) = &self.file else { return Ok(()) };
        let part = file.with_extension("part");
        fs::write(&part, serde_json::to_vec(&self.held)?)?;
        fs::rename(&part, file)
    }
}

fn read(file: &Path) -> Option<Held> {
    let length = fs::metadata(file).ok()?.len();
    let text = (length <= MAX_BYTES).then(|| fs::read(file).ok()).flatten()?;
    let held = serde_json::from_slice(&text);
    if held.is_err() {
        tracing::warn!(file = %file.display(), "the notes cannot be read; every source is read from its beginning");
    }
    held.ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by panicking")]

    use super::*;
    use crate::domain::digest::Digest;

    #[test]
    fn notes_come_back_for_the_same_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let (id, to) = (ProfileId::parse("fx").unwrap(), Target::parse("a.ndjson"));
        let mark = CursorMark { of: Digest::of(b"cursor"), value: 7 };
        let mut notes = Notes::open(Some(folder.path()), &to);
        notes.put(&id, None, Some(mark.clone())).unwrap();
        assert_eq!(Notes::open(Some(folder.path()), &to).of(&id), (None, Some(mark)));
        assert_eq!(Notes::open(Some(folder.path()), &Target::parse("b.ndjson")).of(&id), (None, None));
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(Notes::open(Some(folder.path()), &to).of(&id), (None, None));
    }
}
