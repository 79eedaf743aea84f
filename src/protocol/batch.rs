//! A batch of one run: read from the public JSON form without building a tree, its records canonical and hashed,
//! bad ones set aside with index and reason. Written back in the same form when it goes to another process.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;

use super::aggregator::Rejected;
use crate::domain::batch::Records;
use crate::domain::canonical::write_text;
use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, ProfileId, RunId};
use crate::domain::record::{AllGood, push_record};
use crate::domain::rejects::{MAX_EXCERPT_CHARS, cut};
use crate::domain::run::RunReport;

/// At most this many records in one batch.
pub const MAX_RECORDS: usize = 50_000;
/// At most this many rejected records are named one by one.
pub const MAX_NAMED_REJECTS: usize = 100;

/// One batch of a run, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub drone_id: DroneId,
    pub profile_id: ProfileId,
    pub run_id: RunId,
    /// Place in the run, from 0. Absent: the batch's content digest stands for it.
    pub seq: Option<u32>,
    pub records: Records,
    /// The first rejected records; `rejected` counts all.
    pub rejects: Vec<Rejected>,
    pub rejected: u32,
    pub run: Option<RunReport>,
    /// The records wait until the whole run was judged by its shape.
    pub hold: bool,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum BatchError {
    #[error("{0}")]
    Malformed(String),
    #[error("data holds {found} records; at most {MAX_RECORDS} are taken in one post, send several with rising seq")]
    TooManyRecords { found: usize },
    #[error("data is empty and there is no run report; a batch must say something")]
    Empty,
}

impl Batch {
    /// Reads the public form. The error for bad JSON carries line and column.
    pub fn from_json(body: &[u8]) -> Result<Self, BatchError> {
        let batch = Self::judge(body)?;
        if batch.records.is_empty() && batch.rejected == 0 && batch.run.is_none() {
            return Err(BatchError::Empty);
        }
        Ok(batch)
    }

    /// Reads what was accepted before and put aside.
    pub fn from_kept(body: &[u8]) -> Result<Self, BatchError> {
        Self::judge(body)
    }

    /// In one pass where all is well, as it nearly always is; else record by record, which tells what is wrong.
    fn judge(body: &[u8]) -> Result<Self, BatchError> {
        match serde_json::from_slice::<Wire<AllGood>>(body) {
            Ok(wire) if wire.data.0.len() <= MAX_RECORDS => Ok(wire.accept()),
            _ => Self::judge_each(body),
        }
    }

    fn judge_each(body: &[u8]) -> Result<Self, BatchError> {
        let wire: Wire<Vec<&RawValue>> =
            serde_json::from_slice(body).map_err(|error| BatchError::Malformed(error.to_string()))?;
        wire.check()
    }

    /// Whether its records wait until the whole run was judged.
    pub fn is_held(&self) -> bool {
        let rule = self.run.as_ref().and_then(|report| report.drift);
        self.hold || rule.is_some_and(|rule| rule.then.holds())
    }

    /// The report that ends the run, if it is in this batch.
    pub fn last_report(&self) -> Option<&RunReport> {
        self.run.as_ref().filter(|report| report.state.is_final())
    }

    /// Names the batch by what it holds: records, rejects' count and report state.
    pub fn content_digest(&self) -> Digest {
        let mut content = self.records.content_digest().as_bytes().to_vec();
        content.extend_from_slice(&self.rejected.to_be_bytes());
        if let Some(run) = &self.run {
            content.extend_from_slice(run.state.as_str().as_bytes());
        }
        Digest::of(&content)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<D: Default> {
    drone_id: DroneId,
    profile_id: ProfileId,
    run_id: RunId,
    #[serde(default)]
    seq: Option<u32>,
    #[serde(default)]
    data: D,
    #[serde(default)]
    run: Option<RunReport>,
    #[serde(default)]
    hold: bool,
}

impl Wire<AllGood> {
    fn accept(self) -> Batch {
        let Wire { drone_id, profile_id, run_id, seq, data, run, hold } = self;
        Batch { drone_id, profile_id, run_id, seq, records: data.0, rejects: Vec::new(), rejected: 0, run, hold }
    }
}

impl Wire<Vec<&RawValue>> {
    fn check(self) -> Result<Batch, BatchError> {
        let found = self.data.len();
        if found > MAX_RECORDS {
            return Err(BatchError::TooManyRecords { found });
        }
        let bytes = self.data.iter().map(|raw| raw.get().len()).sum();
        let mut records = Records::with_capacity(found, bytes);
        let (mut rejects, mut rejected) = (Vec::new(), 0);
        for (index, raw) in (0..).zip(&self.data) {
            let Err(reason) = push_record(&mut records, raw.get()) else { continue };
            rejected += 1;
            if rejects.len() < MAX_NAMED_REJECTS {
                let excerpt = cut(raw.get(), MAX_EXCERPT_CHARS).to_owned();
                rejects.push(Rejected { index, reason, excerpt });
            }
        }
        let Wire { drone_id, profile_id, run_id, seq, run, hold, .. } = self;
        Ok(Batch { drone_id, profile_id, run_id, seq, records, rejects, rejected, run, hold })
    }
}

/// A batch between processes: judged where it arrived, its good records in the public form, and beside them what is
/// known of the bad ones.
#[derive(Serialize, Deserialize)]
struct Judged<'a> {
    batch: Box<RawValue>,
    rejected: u32,
    rejects: Cow<'a, [Rejected]>,
}

impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
        let Self { drone_id, profile_id, run_id, seq, records, rejects, rejected, run, hold } = self;
        let body = write_batch(drone_id, profile_id, run_id, *seq, records, run.as_ref(), *hold);
        let text = String::from_utf8(body).map_err(serde::ser::Error::custom)?;
        let batch = RawValue::from_string(text).map_err(serde::ser::Error::custom)?;
        Judged { batch, rejected: *rejected, rejects: Cow::Borrowed(rejects) }.serialize(target)
    }
}

/// Writes the public form of a batch: what a drone sends.
pub fn write_batch(
    drone_id: &DroneId,
    profile_id: &ProfileId,
    run_id: &RunId,
    seq: Option<u32>,
    records: &Records,
    run: Option<&RunReport>,
    hold: bool,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.byte_len() + records.len() + 1_024);
    for (name, text) in [
        ("{\"drone_id\":", drone_id.as_str()),
        (",\"profile_id\":", profile_id.as_str()),
        (",\"run_id\":", run_id.as_str()),
    ] {
        out.extend_from_slice(name.as_bytes());
        write_text(&mut out, text);
    }
    if let Some(seq) = seq {
        out.extend_from_slice(format!(",\"seq\":{seq}").as_bytes());
    }
    if hold {
        out.extend_from_slice(b",\"hold\":true");
    }
    out.extend_from_slice(b",\"data\":[");
    for (index, (_, text)) in records.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(text);
    }
    out.push(b']');
    if let Some(run) = run {
        out.extend_from_slice(b",\"run\":");
        let report = serde_json::to_vec(run).expect("a run report holds only texts and whole numbers");
        out.extend_from_slice(&report);
    }
    out.push(b'}');
    out
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let judged = Judged::deserialize(source)?;
        let batch = Self::judge(judged.batch.get().as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self { rejected: judged.rejected, rejects: judged.rejects.into_owned(), ..batch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: &str =
        r#"{"drone_id":"d","profile_id":"p","run_id":"r","seq":1,"hold":true,"data":[{"dims":{},"measures":{"v":1}}]}"#;
    const MINIMAL: &str = r#"{"drone_id":"d1","profile_id":"census-population","run_id":"r1","data":[
        {"dims":{"geo":{"name":"CA"}},"measures":{"population":{"total":39538223}}}]}"#;

    #[test]
    fn the_minimal_batch_is_accepted() {
        let batch = Batch::from_json(MINIMAL.as_bytes()).unwrap();
        assert_eq!((batch.records.len(), batch.rejected, batch.seq), (1, 0, None));
    }

    #[test]
    fn one_bad_record_is_named_and_the_others_stay() {
        let body = r#"{"drone_id":"d","profile_id":"p","run_id":"r","data":[
            {"dims":{},"measures":{"v":1}}, 7, {"dims":{},"measures":{"v":2}}]}"#;
        let batch = Batch::from_json(body.as_bytes()).unwrap();
        assert_eq!(batch.records.len(), 2);
        assert_eq!(batch.rejects.iter().map(|reject| reject.index).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_batch_survives_the_way_to_another_process() {
        let bad = r#"{"drone_id":"d","profile_id":"p","run_id":"r","data":[7]}"#;
        for body in [MINIMAL, bad, HELD] {
            let batch = Batch::from_json(body.as_bytes()).unwrap();
            let text = serde_json::to_string(&batch).unwrap();
            assert_eq!(serde_json::from_str::<Batch>(&text).unwrap(), batch);
        }
    }

    #[test]
    fn one_pass_gives_what_record_by_record_gives() {
        let good = r#"{"dims":{"b":"x","a":{"c":"\u00fc"}},"measures":{"v":1.50}}"#;
        let bad = ["7", r#"{"dims":{},"measures":{}}"#, r#"{"record_id":"sha256:0","measures":{"v":1}}"#, "{\"dims\":"];
        for odd in [good, ""].into_iter().chain(bad) {
            let records: Vec<_> = [good, odd, good].into_iter().filter(|record| !record.is_empty()).collect();
            let body = format!(r#"{{"data":[{}],"drone_id":"d","profile_id":"p","run_id":"r"}}"#, records.join(","));
            assert_eq!(Batch::judge(body.as_bytes()), Batch::judge_each(body.as_bytes()), "{odd}");
        }
        let many = format!(
            r#"{{"data":[{good}{}],"drone_id":"d","profile_id":"p","run_id":"r"}}"#,
            format!(",{good}").repeat(MAX_RECORDS)
        );
        assert_eq!(Batch::judge(many.as_bytes()), Err(BatchError::TooManyRecords { found: MAX_RECORDS + 1 }));
    }

    #[test]
    fn bad_json_names_line_and_column() {
        let error = Batch::from_json(b"{\"drone_id\":\"d\",\n \"profile_id\": NaN}").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert_eq!(Batch::from_json(br#"{"drone_id":"d","profile_id":"p","run_id":"r"}"#), Err(BatchError::Empty));
    }
}
