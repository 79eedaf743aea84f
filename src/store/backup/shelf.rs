//! A folder of backups: each named by its moment, and only so many kept. Touches no file of another name.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::Offset;

use super::draft::remove;
use super::{Backup, name_of, sum_file};
use crate::store::error::StoreError;

const START: &str = "chartly-";
const ENDING: &str = ".db";
/// `chartly-20261125T170759.123Z.db`: read by people, and in the order of time when sorted as text.
const MOMENT: &str = "%Y%m%dT%H%M%S.%3fZ";

/// Where backups lie.
#[derive(Debug, Clone)]
pub struct Shelf(PathBuf);

impl Shelf {
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Makes a backup under the name of this moment; the folder is created where it is missing.
    pub async fn add(&self, store: &Path, now_ms: i64) -> Result<Backup, StoreError> {
        fs::create_dir_all(&self.0).map_err(|error| StoreError::of_io("creating", &self.0, &error))?;
        self.sweep();
        Backup::make(store, &self.0.join(name_at(now_ms)), false).await
    }

    /// Removes the oldest beyond `keep`; gives how many are left.
    pub fn prune(&self, keep: usize) -> usize {
        let files = self.files();
        let beyond = files.len().saturating_sub(keep.max(1));
        for (_, file) in &files[..beyond] {
            remove(file);
            remove(&sum_file(file));
        }
        files.len() - beyond
    }

    /// The moment of the newest, in Unix milliseconds.
    pub fn newest_ms(&self) -> Option<i64> {
        self.files().last().map(|(at_ms, _)| *at_ms)
    }

    /// Backups with their moments, the oldest first.
    fn files(&self) -> Vec<(i64, PathBuf)> {
        let mut files: Vec<_> = self.entries().filter_map(|path| Some((moment_of(&name_of(&path))?, path))).collect();
        files.sort();
        files
    }

    /// Drafts of processes that are gone.
    fn sweep(&self) {
        for path in self.entries().filter(|path| is_draft(&name_of(path))) {
            let held = OpenOptions::new().write(true).open(&path).is_ok_and(|file| file.try_lock().is_err());
            if !held {
                remove(&path);
            }
        }
    }

    fn entries(&self) -> impl Iterator<Item = PathBuf> + use<> {
        fs::read_dir(&self.0).into_iter().flatten().flatten().map(|entry| entry.path())
    }
}

fn name_at(now_ms: i64) -> String {
    let moment = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{START}{}{ENDING}", Offset::UTC.to_datetime(moment).strftime(MOMENT))
}

fn moment_of(name: &str) -> Option<i64> {
    let text = name.strip_prefix(START)?.strip_suffix(ENDING)?;
    let moment = jiff::civil::DateTime::strptime(MOMENT, text).ok()?;
    let at_ms = Offset::UTC.to_timestamp(moment).ok()?.as_millisecond();
    // Read back, so that nothing but a name of ours passes.
    (name_at(at_ms) == name).then_some(at_ms)
}

fn is_draft(name: &str) -> bool {
    let whole = name.strip_suffix(".sha256.draft").or_else(|| name.strip_suffix(".draft"));
    whole.is_some_and(|whole| moment_of(whole).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_moment_and_no_other_name_passes() {
        let name = name_at(1_764_090_479_123);
        assert_eq!(name, "chartly-20251125T170759.123Z.db");
        assert_eq!(moment_of(&name), Some(1_764_090_479_123));
        for other in ["chartly-.db", "results.db", "chartly-20251125T170759.123Z.db.sha256", "chartly-x.db"] {
            assert_eq!(moment_of(other), None, "{other}");
        }
        assert!(is_draft("chartly-20251125T170759.123Z.db.draft"));
        assert!(is_draft("chartly-20251125T170759.123Z.db.sha256.draft"));
        assert!(!is_draft("letter.draft"));
    }

    #[test]
    fn only_the_oldest_backups_go_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..5).map(|n| name_at(n * 1_000)).collect();
        for name in names.iter().map(String::as_str).chain(["letter.txt", "chartly-mine.db"]) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::write(sum_file(&folder.path().join(&names[0])), "x").unwrap();
        let shelf = Shelf::new(folder.path());
        assert_eq!(shelf.prune(2), 2);
        let mut left: Vec<String> = shelf.entries().map(|path| name_of(&path)).collect();
        left.sort();
        assert_eq!(left, [&names[3], &names[4], "chartly-mine.db", "letter.txt"].map(ToString::to_string));
        assert_eq!(shelf.newest_ms(), Some(4_000));
        assert_eq!(shelf.prune(0), 1, "the newest stays whatever is asked");
    }
}
