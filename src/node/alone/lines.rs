//! Where records go as lines: standard output, one file, or one for each profile. Whole lines only, added at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use thiserror::Error;

use crate::domain::batch::Records;
use crate::domain::ids::ProfileId;
use crate::pipeline::{Sink, SinkError};

/// Stands for the profile's id in the name of a file.
const PLACEHOLDER: &str = "{profile_id}";

/// As `--to` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Stdout,
    /// May hold the placeholder.
    File(String),
}

#[derive(Debug, Error)]
#[error("{place} cannot be written: {error}; give another place with --to")]
pub struct LinesError {
    place: String,
    error: io::Error,
}

impl Target {
    pub fn parse(text: &str) -> Self {
        match text {
            "stdout" | "-" => Self::Stdout,
            file => Self::File(file.to_owned()),
        }
    }

    /// Says at the start what would be said at the first record. A file of its own is made when its profile runs.
    pub(super) fn probe(&self) -> Result<(), LinesError> {
        match self {
            Self::File(name) if !name.contains(PLACEHOLDER) => open(&name.into()).map(drop),
            _ => Ok(()),
        }
    }

    fn path(&self, profile: &ProfileId) -> Option<PathBuf> {
        match self {
            Self::Stdout => None,
            Self::File(name) => Some(name.replace(PLACEHOLDER, profile.as_str()).into()),
        }
    }
}

/// One run's way to the target.
#[derive(Debug)]
pub(super) struct Lines {
    file: Option<(PathBuf, File)>,
    begins: bool,
    broken: Option<io::Error>,
}

impl Lines {
    pub(super) fn open(target: &Target, profile: &ProfileId) -> Result<Self, LinesError> {
        let Some(path) = target.path(profile) else { return Ok(Self { file: None, begins: false, broken: None }) };
        let mut file = open(&path)?;
        let length = whole_lines(&mut file).map_err(|error| failed(&path, error))?;
        Ok(Self { file: Some((path, file)), begins: length == 0, broken: None })
    }

    /// The file holds nothing yet.
    pub(super) fn begins(&self) -> bool {
        self.begins
    }

    /// All lines are on disk.
    pub(super) fn finish(self) -> Result<(), LinesError> {
        match (self.broken, self.file) {
            (Some(error), Some((path, _))) => Err(failed(&path, error)),
            (Some(error), None) => Err(LinesError { place: "standard output".into(), error }),
            // A pipe or a device cannot be synced.
            (None, Some((path, file))) if file.metadata().is_ok_and(|about| about.is_file()) => {
                file.sync_data().map_err(|error| failed(&path, error))
            }
            (None, _) => Ok(()),
        }
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some((_, file)) => file.write_all(text),
            None => {
                let mut out = io::stdout().lock();
                out.write_all(text)?;
                out.flush()
            }
        }
    }
}

impl Sink for Lines {
    async fn accept(&mut self, records: Records) -> Result<(), SinkError> {
        let mut text = Vec::with_capacity(records.byte_len() + records.len());
        for (_, record) in records.iter() {
            text.extend_from_slice(record);
            text.push(b'\n');
        }
        self.write(&text).map_err(|error| {
            let told = SinkError(error.to_string());
            self.broken = Some(error);
            told
        })
    }
}

fn open(path: &PathBuf) -> Result<File, LinesError> {
    let file = OpenOptions::new().create(true).append(true).read(true).open(path);
    // A pipe or a device may be there to be written only.
    let file = file.or_else(|_| OpenOptions::new().append(true).open(path));
    file.map_err(|error| failed(path, error))
}

fn failed(path: &std::path::Path, error: io::Error) -> LinesError {
    LinesError { place: path.display().to_string(), error }
}

/// Ends a line that a process was killed in, so that the next one stands by itself. Gives the file's length before.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let about = file.metadata()?;
    if !about.is_file() {
        // Nobody knows what went through a pipe before.
        return Ok(1);
    }
    if about.len() == 0 {
        return Ok(0);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    Ok(about.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by panicking")]

    use super::*;

    fn batch(texts: &[&str]) -> Records {
        let mut records = Records::default();
        for text in texts {
            let pushed = records.push_with(|out| {
                out.extend_from_slice(text.as_bytes());
                Ok::<(), ()>(())
            });
            pushed.unwrap();
        }
        records
    }

    #[tokio::test]
    async fn lines_are_added_and_a_torn_one_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let id = ProfileId::parse("fx").unwrap();
        let target = Target::parse(folder.path().join("{profile_id}.ndjson").to_str().unwrap());
        let file = folder.path().join("fx.ndjson");
        let mut lines = Lines::open(&target, &id).unwrap();
        assert!(lines.begins());
        lines.accept(batch(&["{\"a\":1}", "{\"a\":2}"])).await.unwrap();
        lines.finish().unwrap();
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "{\"a\":").unwrap();
        let mut lines = Lines::open(&target, &id).unwrap();
        assert!(!lines.begins());
        lines.accept(batch(&["{\"a\":3}"])).await.unwrap();
        lines.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"a\":1}\n{\"a\":2}\n{\"a\":\n{\"a\":3}\n");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told_before_anything_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::parse(folder.path().join("missing/out.ndjson").to_str().unwrap());
        let told = target.probe().unwrap_err().to_string();
        assert!(told.contains("missing/out.ndjson cannot be written") && told.contains("--to"), "{told}");
        assert_eq!((Target::parse("-"), Target::parse("stdout")), (Target::Stdout, Target::Stdout));
    }
}
