//! All kept runs of a drone: a folder for each profile, a file for each run, the text of each version that ran.
//! Bounded by the profile's own size and age, and by what the operator allows for all of them; the oldest runs go first,
//! each as a whole.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::write::private;
use super::{KeepError, KeptEnd, KeptHead, KeptWriter};
use crate::domain::ids::{ProfileId, RunId};
use crate::profiles::Profile;
use crate::profiles::plan::KeepAnswers;

const WHOLE: &str = "kept";
pub(super) const PART: &str = "part";
const TEXT: &str = "yaml";
/// Where a profile's bounds stand, for when it runs here no more.
const BOUNDS: &str = "bounds.json";
/// Characters of a digest that name a version in a file's name.
const DIGEST_CHARS: usize = 16;

/// How much is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeptTotals {
    pub runs: u64,
    /// On disk, compressed.
    pub bytes: u64,
}

/// Which kept runs are meant. All given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Unix milliseconds of the run's start, inclusive.
    pub since_ms: Option<i64>,
    /// Unix milliseconds of the run's start, exclusive.
    pub until_ms: Option<i64>,
    pub run_id: Option<RunId>,
}

/// A kept run, by its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptFile {
    pub started_ms: i64,
    pub run_id: String,
    /// The beginning of the version's digest.
    version: String,
    pub path: PathBuf,
    bytes: u64,
}

/// The folder. One process has it at a time (the spool's lock sees to that).
#[derive(Debug)]
pub struct KeptRuns {
    folder: PathBuf,
    max_bytes: u64,
    totals: Mutex<BTreeMap<String, KeptTotals>>,
    /// Held while files come and go, but not while one is written.
    change: Mutex<()>,
}

impl KeptRuns {
    /// Looks at what is there and clears away what an earlier process left half-written. `max_bytes` is for all
    /// profiles together; 0 keeps nothing.
    pub fn open(folder: &Path, max_bytes: u64) -> Self {
        let runs = Self { max_bytes, ..Self::at(folder) };
        for profile in runs.profiles() {
            for path in files(&folder.join(&profile)).filter(|path| has_ending(path, PART)) {
                tracing::warn!(file = %path.display(), "a kept run was never finished; it is removed");
                let _ = fs::remove_file(path);
            }
            runs.count(&profile);
        }
        runs
    }

    /// Only to read what another process keeps: nothing is cleared away.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), max_bytes: u64::MAX, totals: Mutex::default(), change: Mutex::default() }
    }

    /// Begins to keep a run of this profile; `None` where neither profile nor operator wants it.
    pub fn begin(&self, profile: &Profile, head: KeptHead) -> io::Result<Option<KeptWriter>> {
        let (Some(bounds), Some(text)) = (profile.keep_answers(), profile.kept_text()) else { return Ok(None) };
        if self.max_bytes == 0 || !is_plain(head.run_id.as_str()) {
            return Ok(None);
        }
        let _change = self.changes();
        let folder = self.folder.join(profile.id().as_str());
        make_private(&folder)?;
        write_private(&folder.join(BOUNDS), &serde_json::to_vec(&bounds)?)?;
        let version = short_digest(&head);
        write_private(&folder.join(&version).with_extension(TEXT), text.as_bytes())?;
        let name = format!("{:014}-{version}-{}.{WHOLE}", head.started_ms.max(0), head.run_id);
        KeptWriter::create(&folder.join(name), head, bounds.max_bytes.min(self.max_bytes)).map(Some)
    }

    /// Keeps the whole run, and lets the oldest go where that is too much.
    pub fn keep(&self, writer: KeptWriter, end: KeptEnd) -> Result<(), KeepError> {
        let profile = writer.head().profile_id.to_string();
        writer.finish(end)?;
        let _change = self.changes();
        self.trim(&profile, end.finished_ms);
        self.trim_all();
        Ok(())
    }

    /// Lets go what has become too old, also of profiles that run here no more.
    pub fn sweep(&self, now_ms: i64) {
        let _change = self.changes();
        self.profiles().iter().for_each(|profile| self.trim(profile, now_ms));
        self.trim_all();
    }

    pub fn totals(&self) -> KeptTotals {
        let totals = self.locked();
        let add =
            |sum: KeptTotals, one: &KeptTotals| KeptTotals { runs: sum.runs + one.runs, bytes: sum.bytes + one.bytes };
        totals.values().fold(KeptTotals::default(), add)
    }

    /// The kept runs of a profile, the oldest first.
    pub fn runs(&self, profile: &ProfileId, filter: &RunFilter) -> Vec<KeptFile> {
        let mut runs = self.runs_in(profile.as_str());
        runs.retain(|run| {
            filter.since_ms.is_none_or(|since| run.started_ms >= since)
                && filter.until_ms.is_none_or(|until| run.started_ms < until)
                && filter.run_id.as_ref().is_none_or(|id| id.as_str() == run.run_id)
        });
        runs
    }

    /// The text of the version that made a kept run.
    pub fn text_of(run: &KeptFile) -> io::Result<String> {
        fs::read_to_string(run.path.with_file_name(&run.version).with_extension(TEXT))
    }

    fn profiles(&self) -> Vec<String> {
        let names = files(&self.folder).filter(|path| path.is_dir());
        names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    fn runs_in(&self, profile: &str) -> Vec<KeptFile> {
        let mut runs: Vec<KeptFile> = files(&self.folder.join(profile)).filter_map(KeptFile::of).collect();
        runs.sort();
        runs
    }

    /// Drops what is too old, then the oldest until the rest fits; then texts that belong to no run.
    fn trim(&self, profile: &str, now_ms: i64) {
        let folder = self.folder.join(profile);
        let bounds = fs::read(folder.join(BOUNDS)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let bounds: KeepAnswers = bounds.unwrap_or(KeepAnswers::DEFAULT);
        let oldest_ms = now_ms.saturating_sub(i64::try_from(bounds.max_age_ms).unwrap_or(i64::MAX));
        let mut runs = self.runs_in(profile);
        let mut bytes: u64 = runs.iter().map(|run| run.bytes).sum();
        runs.retain(|run| {
            let stays = run.started_ms >= oldest_ms && bytes <= bounds.max_bytes;
            if !stays {
                bytes -= run.bytes;
                remove(&run.path);
            }
            stays
        });
        let is_of_no_run = |path: &PathBuf| {
            has_ending(path, TEXT)
                && !runs.iter().any(|run| path.file_stem().is_some_and(|stem| stem == run.version.as_str()))
        };
        let in_work = files(&folder).any(|path| has_ending(&path, PART));
        if !in_work {
            files(&folder).filter(is_of_no_run).for_each(|path| remove(&path));
        }
        if runs.is_empty() && !in_work {
            let _ = fs::remove_file(folder.join(BOUNDS));
            let _ = fs::remove_dir(&folder);
        }
        self.count(profile);
    }

    /// Holds all profiles together within what the operator allows.
    fn trim_all(&self) {
        if self.totals().bytes <= self.max_bytes {
            return;
        }
        let profiles = self.profiles();
        let mut all: Vec<(KeptFile, &String)> =
            profiles.iter().flat_map(|name| self.runs_in(name).into_iter().map(move |run| (run, name))).collect();
        all.sort();
        let mut bytes: u64 = all.iter().map(|(run, _)| run.bytes).sum();
        for (run, profile) in all {
            if bytes <= self.max_bytes {
                break;
            }
            bytes -= run.bytes;
            remove(&run.path);
            self.count(profile);
        }
    }

    fn count(&self, profile: &str) {
        let runs = self.runs_in(profile);
        let totals = KeptTotals { runs: runs.len() as u64, bytes: runs.iter().map(|run| run.bytes).sum() };
        let before = self.locked().insert(profile.to_owned(), totals).unwrap_or_default();
        for (name, now, then) in [
            ("chartly_drone_kept_runs", totals.runs, before.runs),
            ("chartly_drone_kept_bytes", totals.bytes, before.bytes),
        ] {
            // All drones of this process together.
            metrics::gauge!(name).increment(now.cast_signed().wrapping_sub(then.cast_signed()) as f64);
        }
    }

    fn changes(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, KeptTotals>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptFile {
    /// A file by its name; `None` where it is something else.
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(WHOLE)?.strip_suffix('.')?;
        let mut parts = name.splitn(3, '-');
        let started_ms = parts.next()?.parse().ok()?;
        let (version, run_id) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        let bytes = fs::metadata(&path).ok()?.len();
        Some(Self { started_ms, run_id, version, path, bytes })
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|own| own == ending)
}

fn is_plain(run_id: &str) -> bool {
    run_id.len() <= 64 && run_id.chars().all(|next| next.is_ascii_alphanumeric() || next == '-')
}

fn short_digest(head: &KeptHead) -> String {
    hex::encode(head.profile_digest.as_bytes()).chars().take(DIGEST_CHARS).collect()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::error!(file = %path.display(), %error, "a kept run could not be removed");
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes a small file, whole or not at all; one that says the same is left alone.
fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let fresh = path.with_extension("new");
    private(OpenOptions::new().write(true).create(true).truncate(true)).open(&fresh)?.write_all(text)?;
    fs::rename(fresh, path)
}
