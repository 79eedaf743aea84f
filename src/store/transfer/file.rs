//! Exports as files: written under another name until they are whole, read through to the end before anything of them is
//! stored, and held against the store afterwards.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::lines::{FORMAT, Line, ProfileLine, Tally, Totals, VersionLine};
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::protocol::registry::PutMode;
use crate::store::error::StoreError;
use crate::store::tenant::TenantStore;
use crate::store::types::NewVersion;

/// The longest line: a batch of the most records that one may have.
const MAX_LINE_BYTES: u64 = 1 << 30;
const ZSTD_LEVEL: i32 = 3;

/// What an import found: the file, and the store after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub equal: bool,
    pub file: Totals,
    pub store: Totals,
}

/// Writes a tenant's store into a new file.
pub async fn export_file(tenant: &TenantStore, to: &Path, overwrite: bool) -> Result<Totals, StoreError> {
    if to.exists() && !overwrite {
        return Err(StoreError::Exists { path: to.display().to_string() });
    }
    let draft = PathBuf::from(format!("{}.part", to.display()));
    let written = write_draft(tenant, &draft, is_packed(to)).await;
    if written.is_err() {
        // What is there of it is of no use.
        let _ = fs::remove_file(&draft);
    }
    let totals = written?;
    fs::rename(&draft, to).map_err(|error| StoreError::of_io("naming", to, &error))?;
    Ok(totals)
}

async fn write_draft(tenant: &TenantStore, draft: &Path, packed: bool) -> Result<Totals, StoreError> {
    let failed = |error: std::io::Error| StoreError::of_io("writing", draft, &error);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(draft).map_err(failed)?;
    if !packed {
        let mut out = BufWriter::new(&file);
        let totals = write_lines(tenant, &mut out, draft).await?;
        out.flush().map_err(failed)?;
        drop(out);
        file.sync_all().map_err(failed)?;
        return Ok(totals);
    }
    let mut out = zstd::stream::write::Encoder::new(BufWriter::new(&file), ZSTD_LEVEL).map_err(failed)?;
    let totals = write_lines(tenant, &mut out, draft).await?;
    out.finish().and_then(|mut rest| rest.flush()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(totals)
}

async fn write_lines(tenant: &TenantStore, out: &mut (impl Write + Send), draft: &Path) -> Result<Totals, StoreError> {
    let mut put = |text: &[u8]| {
        let written = out.write_all(text).and_then(|()| out.write_all(b"\n"));
        written.map_err(|error| StoreError::of_io("writing", draft, &error))
    };
    tenant.export_lines(&mut put).await
}

/// Stores what a file holds. The file is read to its end first: one that is cut off or changed stores nothing.
pub async fn import_file(tenant: &TenantStore, from: &Path) -> Result<Moved, StoreError> {
    let file = check(from)?;
    let mut lines = Lines::open(from)?;
    let mut profile = None;
    while let Some((line, _)) = lines.next()? {
        match line {
            Line::Version(version) => put_version(tenant, version, &mut profile).await?,
            Line::Batch(batch) => tenant.import_batch(*batch).await?,
            Line::Profile(state) => set_state(tenant, &state).await?,
            Line::ChartlyExport { .. } | Line::End(_) => {}
        }
    }
    let store = tenant.export_lines(&mut |_| Ok(())).await?;
    Ok(Moved { equal: file == store, file, store })
}

/// Versions of the profile that the store has had before.
type Known = Option<(ProfileId, Vec<Digest>)>;

async fn put_version(tenant: &TenantStore, line: VersionLine, known: &mut Known) -> Result<(), StoreError> {
    let created_ms = line.created_ms;
    let version = NewVersion::from(line);
    if known.as_ref().is_none_or(|(id, _)| *id != version.id) {
        let before = match tenant.versions(&version.id).await {
            Ok(versions) => versions.iter().map(|held| held.digest).collect(),
            Err(StoreError::UnknownProfile(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        *known = Some((version.id.clone(), before));
    }
    if known.as_ref().is_some_and(|(_, before)| before.contains(&version.digest)) {
        return Ok(());
    }
    tenant.put_profile(version, PutMode::Replace, None, created_ms).await.map(drop)
}

async fn set_state(tenant: &TenantStore, state: &ProfileLine) -> Result<(), StoreError> {
    if let Some(deleted_ms) = state.deleted_ms {
        return tenant.delete_profile(&state.profile_id, deleted_ms).await;
    }
    let held = tenant.profile(&state.profile_id, None).await?.summary;
    if held.digest != state.current {
        tenant.roll_back(&state.profile_id, Some(state.current), state.updated_ms).await?;
    }
    if held.paused == state.paused {
        return Ok(());
    }
    tenant.set_paused(&state.profile_id, state.paused).await.map(drop)
}

/// Reads a file to its end and holds it against what its end says.
fn check(from: &Path) -> Result<Totals, StoreError> {
    let mut lines = Lines::open(from)?;
    let mut tally = Tally::default();
    let first = lines.next()?;
    let Some((Line::ChartlyExport { format: FORMAT }, head)) = &first else {
        return Err(lines.bad(&format!("it does not begin as an export of format {FORMAT}")));
    };
    tally.count(&Line::ChartlyExport { format: FORMAT }, head);
    while let Some((line, text)) = lines.next()? {
        let Line::End(told) = line else {
            tally.count(&line, &text);
            continue;
        };
        if told != tally.totals() {
            return Err(lines.bad(&format!("its end tells {told}; it holds {}", tally.totals())));
        }
        return if lines.next()?.is_none() { Ok(told) } else { Err(lines.bad("lines follow its end")) };
    }
    Err(lines.bad(&format!("it is cut off; good as far as line {}, which is {}", lines.number, tally.totals())))
}

struct Lines {
    path: PathBuf,
    from: Box<dyn BufRead>,
    /// Whole lines that were read.
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::of_io("reading", path, &error);
        let file = File::open(path).map_err(failed)?;
        let from: Box<dyn BufRead> = if is_packed(path) {
            Box::new(BufReader::new(zstd::stream::read::Decoder::new(file).map_err(failed)?))
        } else {
            Box::new(BufReader::new(file))
        };
        Ok(Self { path: path.to_owned(), from, number: 0 })
    }

    /// The next line and its text without its end.
    fn next(&mut self) -> Result<Option<(Line, Vec<u8>)>, StoreError> {
        let mut text = Vec::new();
        if let Err(error) = (&mut self.from).take(MAX_LINE_BYTES).read_until(b'\n', &mut text) {
            return Err(self.bad(&format!("it is good as far as line {}, then: {error}", self.number)));
        }
        if text.is_empty() {
            return Ok(None);
        }
        if text.pop() != Some(b'\n') {
            return Err(self.bad(&format!("it is cut off within a line; good as far as line {}", self.number)));
        }
        let line = serde_json::from_slice(&text)
            .map_err(|error| self.bad(&format!("line {} is not one of an export: {error}", self.number + 1)))?;
        self.number += 1;
        Ok(Some((line, text)))
    }

    fn bad(&self, reason: &str) -> StoreError {
        StoreError::BadExport { path: self.path.display().to_string(), reason: reason.to_owned() }
    }
}

fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}
