//! Request bodies with a limit on everything: on the bytes that arrive, on the bytes after decompression, and on
//! what all requests together hold. What is over a limit is refused as early as it can be known.

mod flow;
mod inflate;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use futures_util::StreamExt;

use super::accept::NDJSON;
use crate::protocol::fault::{Code, Fault};
use inflate::{Encoding, Inflater};

pub use flow::Flow;

/// How large bodies may be, and how much memory they hold together.
#[derive(Clone, Debug)]
pub struct Bodies {
    /// Most bytes of one body as it arrives.
    max_bytes: usize,
    /// Most bytes of one body after decompression.
    max_inflated_bytes: usize,
    budget: Budget,
}

impl Bodies {
    pub fn new(max_bytes: usize, max_inflated_bytes: usize) -> Self {
        Self { max_bytes, max_inflated_bytes, budget: Budget::new(max_inflated_bytes.saturating_mul(4)) }
    }

    /// Reads a whole body, inflated.
    pub async fn read(&self, headers: &HeaderMap, payload: &mut Payload) -> Result<Vec<u8>, Fault> {
        let encoding = Encoding::of(headers)?;
        self.check_declared_length(headers)?;
        let mut inflater = Inflater::new(encoding, self.max_inflated_bytes, self.budget.clone())?;
        let mut arrived = 0;
        while let Some(chunk) = payload.next().await {
            let chunk =
                chunk.map_err(|error| Fault::new(Code::InvalidRequest, format!("the body broke off: {error}")))?;
            arrived += chunk.len();
            if arrived > self.max_bytes {
                return Err(self.too_large("at least ", arrived as u64));
            }
            inflater.push(&chunk)?;
        }
        inflater.finish()
    }

    /// A body that says it is too large is refused before a byte of it is read.
    fn check_declared_length(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let Some(length) = headers.get(header::CONTENT_LENGTH) else { return Ok(()) };
        let length = length.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
        match length {
            None => Err(Fault::invalid("Content-Length", "Content-Length is not a number")),
            Some(length) if length > self.max_bytes as u64 => Err(self.too_large("", length)),
            Some(_) => Ok(()),
        }
    }

    fn too_large(&self, bound: &str, bytes: u64) -> Fault {
        let max = self.max_bytes;
        Fault::new(
            Code::BodyTooLarge,
            format!("the body has {bound}{bytes} bytes; at most {max} are taken in one post"),
        )
    }
}

/// Refuses a body that says it is something else than JSON. None at all and what curl says unasked are let through.
pub fn expect_json(headers: &HeaderMap) -> Result<(), Fault> {
    let kind = content_type(headers);
    let taken = matches!(
        kind.as_str(),
        "" | "application/json" | "text/json" | "application/x-www-form-urlencoded" | "application/octet-stream"
    ) || kind.ends_with("+json");
    if taken {
        return Ok(());
    }
    Err(Fault::new(Code::UnsupportedType, format!("Content-Type is {kind:?}; expected application/json")))
}

/// Whether a body says that it is records as lines.
pub fn is_lines(headers: &HeaderMap) -> bool {
    content_type(headers) == NDJSON
}

/// The media type in small letters, without its parameters; empty where none is given.
pub fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Bytes that all bodies together may hold.
#[derive(Clone, Debug)]
struct Budget {
    left: Arc<AtomicUsize>,
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
struct Reservation {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    fn new(bytes: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(bytes)) }
    }

    fn reserve_nothing(self) -> Reservation {
        Reservation { budget: self, bytes: 0 }
    }
}

impl Reservation {
    /// Takes `more` bytes, or none where fewer are left.
    fn grow(&mut self, more: usize) -> bool {
        let left = &self.budget.left;
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(more));
        if taken.is_err() {
            return false;
        }
        self.bytes += more;
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
