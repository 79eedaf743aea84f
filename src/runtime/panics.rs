//! Panics as log lines, and panic payloads as text.

use std::{any::Any, panic::PanicHookInfo, thread};

const MAX_TEXT_CHARS: usize = 300;

/// Sends every panic of the process through `tracing` (thread, message, place in the code) instead of stderr. Call it
/// once, after the subscriber is set up. It only logs; what a panic means is decided where it is caught.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let current = thread::current();
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(
        thread = current.name().unwrap_or("unnamed"),
        location,
        message = payload_text(info.payload()),
        "panic"
    );
}

/// The message of a panic, cut to a few hundred characters.
pub(super) fn payload_text(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic without a text");
    text.chars().take(MAX_TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_become_text_of_bounded_length() {
        assert_eq!(payload_text(&"half-done write"), "half-done write");
        assert_eq!(payload_text(&"ä".repeat(1_000)), "ä".repeat(MAX_TEXT_CHARS));
        assert_eq!(payload_text(&7_u8), "panic without a text");
    }
}
