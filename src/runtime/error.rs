//! What a caller learns when a message was not answered, or an actor did not stop in time.

use serde::Serialize;

/// Why a message got no answer. The caller learns it at once, and whether the message may have had an effect.
#[derive(thiserror::Error, Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AskError {
    /// All permits of the mailbox are taken; the message was not sent.
    #[error("the actor has as many messages as it may hold; try again later")]
    Overloaded,
    /// The actor crashed and is being rebuilt; the message was not sent.
    #[error("the actor is being restarted; try again shortly")]
    Restarting,
    /// The actor crashed, or ended, with the message in its hands or in its queue. The outcome is unknown.
    #[error("the actor failed before it answered; the message may or may not have taken effect")]
    Crashed,
    /// The answer did not come in time. The message may still be handled. The outcome is unknown.
    #[error("the actor did not answer in time; the message may still take effect")]
    Deadline,
    /// The actor is stopping, has stopped or was given up; the message was not sent.
    #[error("the actor is not running")]
    Down,
}

impl AskError {
    /// True where the message was certainly never handled: it can be sent again, here or elsewhere, whatever it does.
    /// Otherwise only an idempotent message may be sent again.
    #[must_use]
    pub const fn safe_to_retry(self) -> bool {
        matches!(self, Self::Overloaded | Self::Restarting | Self::Down)
    }

    /// True where the message was sent and may have had its effect, in whole or in part.
    #[must_use]
    pub const fn outcome_unknown(self) -> bool {
        !self.safe_to_retry()
    }
}

/// An actor or task that had not ended by its deadline, and was ended with work left.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[error("{name} did not stop in time; {lost} accepted messages got no answer")]
pub struct Unfinished {
    /// The actor or task.
    pub name: String,
    /// Messages that were queued or in work.
    pub lost: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_never_sent_is_safe_to_retry() {
        for error in [AskError::Overloaded, AskError::Restarting, AskError::Down] {
            assert!(error.safe_to_retry() && !error.outcome_unknown(), "{error}");
        }
        for error in [AskError::Crashed, AskError::Deadline] {
            assert!(error.outcome_unknown() && !error.safe_to_retry(), "{error}");
        }
    }
}
