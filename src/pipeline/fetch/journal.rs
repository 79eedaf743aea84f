//! What was asked, for people to read: secrets are taken out before anything is kept.

use std::cell::RefCell;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, FetchError, with_query_secret};
use crate::pipeline::request::Outgoing;

/// So many requests are kept; the rest is only counted by the run.
const MAX_KEPT: usize = 200;
const MAX_BODY_CHARS: usize = 2_000;

/// A request as it was made, or would be, with `[secret]` for the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Asked {
    pub method: String,
    pub url: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Vec<String>>)]
    pub headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What came: a status, or why nothing came. Absent where it was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

impl Asked {
    pub fn of(request: &Outgoing) -> Self {
        let secret = request.secret.as_ref();
        let url = request.redact(with_query_secret(&request.url, secret).as_str());
        let mut headers: Vec<(String, String)> =
            request.headers.iter().map(|(name, value)| (name.clone(), request.redact(value))).collect();
        headers.extend(secret.and_then(|secret| secret.shown_header()));
        let body = request.body.as_ref().map(|(_, body)| {
            let text = String::from_utf8_lossy(&super::with_body_secret(body, secret).unwrap_or_else(|_| body.clone()))
                .into_owned();
            request.redact(&text).chars().take(MAX_BODY_CHARS).collect()
        });
        Self { method: request.method.word().to_owned(), url, headers, body, answer: None }
    }
}

/// The requests of a fetcher that keeps them.
#[derive(Debug, Default)]
pub struct Journal(RefCell<Vec<Asked>>);

impl Journal {
    pub(super) fn note(&self, request: &Outgoing, result: &Result<Answer, FetchError>) {
        let mut kept = self.0.borrow_mut();
        if kept.len() >= MAX_KEPT {
            return;
        }
        let answer = match result {
            Ok(answer) => answer.status.to_string(),
            Err(error) => request.redact(&error.to_string()),
        };
        kept.push(Asked { answer: Some(answer), ..Asked::of(request) });
    }

    pub(super) fn take(&self) -> Vec<Asked> {
        self.0.take()
    }
}
