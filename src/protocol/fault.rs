//! The one table of what can go wrong between a caller and a role. A fault crosses the wire as problem+json
//! (RFC 9457) and comes back as the same fault. Knows no HTTP library: a status is a number here.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a caller may conclude about the message that got this fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Handled and refused: the same message will be refused again.
    Never,
    /// Not handled at all: safe to send again.
    Safe,
    /// The outcome is unknown: send again only what may happen twice.
    IfRepeatable,
}

macro_rules! codes {
    ($($code:ident $name:literal $status:literal $retry:ident $title:literal;)+) => {
        /// A stable code; users build on its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum Code {
            $(#[doc = $title] #[serde(rename = $name)] $code,)+
        }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            pub fn name(self) -> &'static str {
                match self { $(Self::$code => $name),+ }
            }

            /// HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$code => $status),+ }
            }

            pub fn title(self) -> &'static str {
                match self { $(Self::$code => $title),+ }
            }

            pub fn retry(self) -> Retry {
                match self { $(Self::$code => Retry::$retry),+ }
            }
        }
    };
}

codes! {
    InvalidRequest    "invalid_request"     400 Never        "The request is not valid";
    MalformedJson     "malformed_json"      400 Never        "The body is not JSON of the expected form";
    Unauthenticated   "unauthenticated"     401 Never        "A key is needed";
    Forbidden         "forbidden"           403 Never        "The key does not allow this";
    KeyRevoked        "key_revoked"         401 Never        "The key was revoked";
    TokenRefused      "token_refused"       403 Never        "The token is not good";
    NotFound          "not_found"           404 Never        "There is nothing here";
    UnknownProfile    "unknown_profile"     404 Never        "No profile has this id";
    UnknownDrone      "unknown_drone"       404 Never        "No drone has this id";
    UnknownRun        "unknown_run"         404 Never        "No run has this id";
    UnknownReport     "unknown_report"      404 Never        "No report has this id";
    MethodNotAllowed  "method_not_allowed"  405 Never        "This route does not take this method";
    NotAcceptable     "not_acceptable"      406 Never        "None of the asked formats is offered";
    ProfileExists     "profile_exists"      409 Never        "A profile with this id exists";
    TwinDrone         "twin_drone"          409 Never        "Another process uses this drone's id";
    BatchConflict     "batch_conflict"      409 Never        "Another batch was stored under this run and seq";
    NotQuarantined    "not_quarantined"     409 Never        "The run does not wait in quarantine";
    RunConflict       "run_conflict"        409 Never        "This run id belongs to another profile";
    Expired           "expired"             410 Never        "Retention has removed what stood then";
    DroneEnrolled     "drone_enrolled"      409 Never        "The drone has joined already";
    VersionConflict   "version_conflict"    412 Never        "The profile has changed meanwhile";
    BodyTooLarge      "body_too_large"      413 Never        "The body is larger than allowed";
    UnsupportedType   "unsupported_type"    415 Never        "The body's type or encoding is not taken here";
    InvalidProfile    "invalid_profile"     422 Never        "The profile has faults";
    InvalidReport     "invalid_report"      422 Never        "The report cannot be computed as asked";
    TooManyRequests   "too_many_requests"   429 Safe         "Too many requests";
    Overloaded        "overloaded"          503 Safe         "The service is at its limit";
    Restarting        "restarting"          503 Safe         "The service restarts after a fault";
    Unavailable       "unavailable"         503 Safe         "The service is away";
    RequestTimeout    "request_timeout"     408 Never        "The body did not arrive in time";
    Crashed           "crashed"             500 IfRepeatable "The service failed while it handled this";
    Internal          "internal"            500 IfRepeatable "Something went wrong inside";
    StoreFailed       "store_failed"        503 IfRepeatable "The store did not answer as it should";
    Deadline          "deadline"            504 IfRepeatable "No answer in time";
    BadPeer           "bad_peer"            502 IfRepeatable "A service answered in a way that makes no sense";
}

/// One place that is wrong, with what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// A field, an index (`data[3]`), or file, line and column.
    pub at: String,
    pub reason: String,
}

/// What went wrong, in the caller's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: Code,
    pub detail: String,
    pub places: Vec<Place>,
    /// Seconds after which another try makes sense.
    pub retry_after_s: Option<u32>,
}

impl Fault {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), places: Vec::new(), retry_after_s: None }
    }

    /// Names the field or place that the detail speaks of.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        let reason = self.detail.clone();
        self.places.push(Place { at: place.into(), reason });
        self
    }

    #[must_use]
    pub fn with_places(mut self, places: Vec<Place>) -> Self {
        self.places = places;
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    pub fn invalid(place: &str, detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, detail).at(place)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.title(), self.detail)
    }
}

impl std::error::Error for Fault {}

/// The fault on the wire: problem+json.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Where the code is explained.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub code: Code,
    /// What the caller may conclude.
    pub retry: Retry,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Place>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        let code = fault.code;
        Self {
            kind: format!("/api/docs/errors#{}", code.name()),
            title: code.title().into(),
            status: code.status(),
            detail: fault.detail.clone(),
            code,
            retry: code.retry(),
            errors: fault.places.clone(),
            retry_after_s: fault.retry_after_s,
            request_id: None,
        }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            detail: problem.detail,
            places: problem.errors,
            retry_after_s: problem.retry_after_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn a_fault_survives_the_wire() {
        let fault = Fault::invalid("limit", "limit is 0").retry_after(3);
        let text = serde_json::to_string(&Problem::from(&fault)).unwrap();
        let back: Problem = serde_json::from_str(&text).unwrap();
        assert_eq!(Fault::from(back), fault);
    }
}
