//! Saved answers in place of the network, played through the same run. Knows no client: what the answers mean is the
//! run's matter, as if a source had given them.

use std::cell::RefCell;
use std::path::Path;

use serde::Deserialize;
use thiserror::Error;
use url::Url;

use super::answer::{Answer, next_link};
use super::inflate::Inflate;
use super::{FetchError, Traffic, inflate_error};
use crate::domain::digest::Digest;
use crate::pipeline::request::{Outgoing, shown};
use crate::profiles::plan::SecretPlace;

/// Saved answers of one recording.
const MAX_ANSWERS: usize = 10_000;
/// All bodies of one recording together.
const MAX_BYTES: u64 = 64 << 20;

/// One saved answer. Without a request it is given to whatever is asked, in order, once.
#[derive(Debug, Clone)]
pub struct SavedAnswer {
    pub request: Option<SavedRequest>,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// As it came over the wire: where `Content-Encoding` says gzip, compressed.
    pub body: Vec<u8>,
}

impl SavedAnswer {
    /// A good answer to whatever is asked.
    pub fn plain(body: Vec<u8>) -> Self {
        Self { request: None, status: 200, headers: Vec::new(), body }
    }
}

/// What was asked. Two requests are the same when method, address, query (in any order) and JSON body are; a secret's
/// place is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SavedRequest {
    #[serde(default = "get")]
    pub method: String,
    pub url: String,
    #[serde(default)]
    pub body: Option<serde_json::Value>,
}

fn get() -> String {
    "GET".into()
}

/// Answers that are played.
#[derive(Debug)]
pub struct Recording {
    answers: Vec<SavedAnswer>,
    played: RefCell<Played>,
}

/// What was given so far.
#[derive(Debug)]
struct Played {
    answers: Vec<bool>,
    /// The last request, and its answer.
    last: Option<(Digest, usize)>,
}

/// Why a recording cannot be read.
#[derive(Debug, Error)]
pub enum RecordingError {
    #[error("{file}: {error}")]
    Unreadable { file: String, error: std::io::Error },
    #[error("{file} is not a list of saved answers: {error}")]
    NotAnIndex { file: String, error: serde_json::Error },
    #[error("{file}: {name:?} is not the name of a file beside it")]
    Outside { file: String, name: String },
    #[error("{0} holds more than {MAX_ANSWERS} answers or {MAX_BYTES} bytes")]
    TooLarge(String),
}

/// An entry of `index.json`.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    request: Option<SavedRequest>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    file: Option<String>,
}

fn ok() -> u16 {
    200
}

impl Recording {
    pub fn new(answers: Vec<SavedAnswer>) -> Self {
        let played = RefCell::new(Played { answers: vec![false; answers.len()], last: None });
        Self { answers, played }
    }

    /// Reads a folder: `index.json` is a list of `{request: {method, url, body}, status, headers, file}`.
    pub fn read(folder: &Path) -> Result<Self, RecordingError> {
        let index = folder.join("index.json");
        let file = index.display().to_string();
        let text = read_file(&index, MAX_BYTES)?;
        let entries: Vec<Entry> =
            serde_json::from_slice(&text).map_err(|error| RecordingError::NotAnIndex { file: file.clone(), error })?;
        let mut left = MAX_BYTES;
        let mut answers = Vec::with_capacity(entries.len().min(MAX_ANSWERS));
        for entry in entries {
            if answers.len() == MAX_ANSWERS {
                return Err(RecordingError::TooLarge(file));
            }
            let body = match entry.file {
                Some(name) if is_plain_name(&name) => read_file(&folder.join(name), left)?,
                Some(name) => return Err(RecordingError::Outside { file, name }),
                None => Vec::new(),
            };
            left = left.saturating_sub(body.len() as u64);
            let headers = entry.headers.into_iter().collect();
            answers.push(SavedAnswer { request: entry.request, status: entry.status, headers, body });
        }
        Ok(Self::new(answers))
    }

    /// The next answer to `request`.
    pub(super) fn answer(&self, request: &Outgoing, traffic: &mut Traffic) -> Result<Answer, FetchError> {
        traffic.begin_request()?;
        let index = self.pick(request)?;
        let mut played = self.played.borrow_mut();
        played.answers[index] = true;
        played.last = Some((request.digest(), index));
        as_answer(&self.answers[index], request, traffic)
    }

    fn pick(&self, request: &Outgoing) -> Result<usize, FetchError> {
        let played = self.played.borrow();
        let asked = |index: &usize| self.answers[*index].request.as_ref().is_some_and(|saved| is_same(saved, request));
        let fresh = |index: &usize| !played.answers[*index];
        let all = || 0..self.answers.len();
        let unnamed = |index: &usize| self.answers[*index].request.is_none();
        // What was asked before is answered alike, as a source would.
        let found = all().filter(fresh).find(asked).or_else(|| all().filter(fresh).find(unnamed));
        let again = || played.last.filter(|(digest, _)| *digest == request.digest()).map(|(_, index)| index);
        found.or_else(|| all().rfind(asked)).or_else(again).ok_or_else(|| self.nothing(request))
    }

    fn nothing(&self, request: &Outgoing) -> FetchError {
        if self.answers.iter().all(|answer| answer.request.is_none()) {
            return FetchError::AllPlayed;
        }
        let names =
            |answer: &SavedAnswer| answer.request.as_ref().map(|saved| format!("{} {}", saved.method, saved.url));
        let known: Vec<String> = self.answers.iter().filter_map(names).take(3).collect();
        let asked = request.redact(request.url.as_str());
        let known = request.redact(&known.join(", "));
        FetchError::Refused(format!(
            "no answer is saved for {} {asked}; the {} saved ones begin with {known}",
            request.method.word(),
            self.answers.len()
        ))
    }
}

fn read_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>, RecordingError> {
    let file = path.display().to_string();
    let unreadable = |error| RecordingError::Unreadable { file: file.clone(), error };
    if std::fs::metadata(path).map_err(unreadable)?.len() > max_bytes {
        return Err(RecordingError::TooLarge(file));
    }
    std::fs::read(path).map_err(unreadable)
}

/// Whether the name stays in its folder.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != ".." && name != "." && !name.contains(['/', '\\', '\0'])
}

fn is_same(saved: &SavedRequest, request: &Outgoing) -> bool {
    let Ok(url) = Url::parse(&saved.url) else { return false };
    let in_query = request.secret.as_ref().filter(|secret| secret.place == SecretPlace::Query);
    let pairs = |of: &Url| {
        let own = of.query_pairs().filter(|(name, _)| in_query.is_none_or(|secret| secret.name != *name));
        let mut pairs: Vec<(String, String)> = own.map(|(name, value)| (name.into(), value.into())).collect();
        pairs.sort();
        pairs
    };
    saved.method.eq_ignore_ascii_case(request.method.word())
        && shown(&url) == shown(&request.url)
        && pairs(&url) == pairs(&request.url)
        && is_same_body(saved, request)
}

fn is_same_body(saved: &SavedRequest, request: &Outgoing) -> bool {
    let (Some(saved), Some((_, body))) = (&saved.body, &request.body) else { return saved.body.is_none() };
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
    let mut saved = saved.clone();
    let place = request.secret.as_ref().filter(|secret| secret.place == SecretPlace::Body);
    if let Some((parent, name)) = place.and_then(|secret| secret.name.rsplit_once('/'))
        && let Some(members) = saved.pointer_mut(parent).and_then(serde_json::Value::as_object_mut)
    {
        members.remove(name);
    }
    saved == body
}

pub(super) fn as_answer(saved: &SavedAnswer, request: &Outgoing, traffic: &mut Traffic) -> Result<Answer, FetchError> {
    let header = |name: &str| {
        let found = saved.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let left = usize::try_from(traffic.max_bytes.saturating_sub(traffic.bytes)).unwrap_or(usize::MAX);
    let encoding = header("content-encoding");
    let unknown = || FetchError::Refused(format!("the saved answer is encoded as {encoding:?}, which is not known"));
    let mut inflate = Inflate::new(encoding.as_deref(), left).ok_or_else(unknown)?;
    inflate.push(&saved.body).map_err(inflate_error)?;
    let body = inflate.finish().map_err(inflate_error)?;
    traffic.bytes += body.len() as u64;
    Ok(Answer {
        status: saved.status,
        body,
        content_type: header("content-type"),
        etag: header("etag"),
        last_modified: header("last-modified"),
        next_link: header("link").and_then(|link| next_link(&link)),
        retry_after: header("retry-after"),
        headers: saved.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect(),
        url: request.url.clone(),
    })
}
