//! Raw answers that a drone keeps, so that a mended profile can be run over them again without asking the source.
//! One file for each run, written while the run goes on and named only when it is whole. What would give a secret
//! away is taken out before anything reaches the disk. Knows no actor and no store; what an answer means is the run's
//! matter.

mod folder;
mod keeper;
mod packed;
mod read;
mod redact;
mod runs;
mod write;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use folder::SavedFolder;
pub use keeper::{Keeper, Shelf};
pub use read::{KeptRun, TornRun};
pub use runs::{KeptFile, KeptRuns, KeptTotals, RunFilter};
pub use write::KeptWriter;

use super::cursor::CursorMark;
use super::fetch::Answer;
use super::request::{Outgoing, shown};
use crate::domain::digest::Digest;
use crate::domain::ids::{ProfileId, RunId};
use crate::domain::run::RunState;
use crate::profiles::plan::SecretPlace;
use redact::Redactor;

/// Closes a whole file. A file without it is torn.
const MARK: &[u8; 8] = b"CHKEPT01";
/// Place and length of the index, then the mark.
const FOOTER_BYTES: u64 = 24;
/// Answers of one kept run.
const MAX_ANSWERS: usize = 100_000;
/// A request's body is kept as a text up to this; its digest always.
const MAX_REQUEST_BODY_BYTES: usize = 64 << 10;

/// What a run was given at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptHead {
    pub run_id: RunId,
    pub profile_id: ProfileId,
    /// The version that ran.
    pub profile_digest: Digest,
    /// Unix milliseconds: the run's own clock at its start.
    pub started_ms: i64,
    /// Where the cursor stood.
    #[serde(default)]
    pub cursor: Option<CursorMark>,
}

/// How the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptEnd {
    pub state: RunState,
    /// Unix milliseconds.
    pub finished_ms: i64,
}

/// An answer without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    pub method: String,
    /// Without the secret.
    pub url: String,
    /// Names what was asked, whatever the secret was.
    pub request: Digest,
    /// The request's body, where it is a short text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Unix milliseconds at which it was there.
    pub at_ms: i64,
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// The last part of a file: what is in it, and where.
#[derive(Debug, Serialize, Deserialize)]
struct Index {
    run: KeptHead,
    end: KeptEnd,
    answers: Vec<Entry>,
}

/// Where an answer lies, and what has to be known to find it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    request: Digest,
    status: u16,
    offset: u64,
}

/// Why a run's answers are not kept.
#[derive(Debug, Error)]
pub enum KeepError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("its answers are larger than keep allows ({max_bytes} bytes)")]
    TooLarge { max_bytes: u64 },
    #[error("it has more than {MAX_ANSWERS} answers")]
    TooMany,
    #[error("an answer holds the secret, which is too short to be taken out without harm to the data")]
    ShortSecret,
    #[error("an answer is a zip file that holds the secret, or a packed file that cannot be looked through for it")]
    Packed,
}

/// Headers that are not kept: they say how the body came over the wire, or are nobody's business.
const LEFT_OUT: [&str; 8] = [
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "connection",
    "set-cookie",
    "authorization",
    "www-authenticate",
    "proxy-authenticate",
];

impl KeptAnswer {
    fn of(request: &Outgoing, answer: &Answer, at_ms: i64, redactor: &Redactor) -> Self {
        let text = |(_, body): &(&str, Vec<u8>)| {
            let short = body.len() <= MAX_REQUEST_BODY_BYTES;
            short.then(|| String::from_utf8(body.clone()).ok()).flatten().map(|text| redactor.text(&text))
        };
        let headers = answer.headers.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
        Self {
            method: request.method.word().to_owned(),
            url: redactor.text(request.url.as_str()),
            request: identity(request),
            body: request.body.as_ref().and_then(text),
            at_ms,
            status: answer.status,
            headers: headers.map(|(name, value)| (name.clone(), redactor.text(value))).collect(),
        }
    }
}

/// Names what a request asks: method, address, query in any order, body. The secret and its place do not count, so
/// the name is the same whoever asks.
pub fn identity(request: &Outgoing) -> Digest {
    let redactor = Redactor::of(request);
    let hidden = request.secret.as_ref().filter(|secret| secret.place == SecretPlace::Query);
    let pairs = request.url.query_pairs().filter(|(name, _)| hidden.is_none_or(|secret| secret.name != *name));
    let mut pairs: Vec<(String, String)> = pairs.map(|(name, value)| (name.into(), redactor.text(&value))).collect();
    pairs.sort();
    let address = redactor.text(&shown(&request.url));
    let mut parts = vec![request.method.word().to_owned(), address];
    parts.extend(pairs.into_iter().flat_map(|(name, value)| [name, value]));
    let mut bytes = serde_json::to_vec(&parts).expect("texts are JSON");
    if let Some((kind, body)) = &request.body {
        bytes.extend_from_slice(kind.as_bytes());
        bytes.extend_from_slice(redactor.text(&String::from_utf8_lossy(body)).as_bytes());
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests;
