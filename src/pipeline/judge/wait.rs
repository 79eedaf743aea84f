//! Until when a source wants to be left alone.

use std::time::Duration;

use crate::pipeline::fetch::Answer;
use crate::profiles::plan::{MomentForm, Wait, When, WhenPlace};
use crate::profiles::time::{self, Reading};

const DAY_MS: i64 = 86_400_000;
/// What an answer names beyond this is taken for this.
const MAX_MS: i64 = 366 * DAY_MS;

/// The pause that a rule declares. `said`: what the body says at the rule's path.
pub fn pause(wait: Option<&Wait>, answer: &Answer, said: Option<&str>, now_ms: i64) -> Option<Duration> {
    let until_ms = match wait? {
        Wait::After(duration) => return Some(*duration),
        Wait::NextDay => now_ms.div_euclid(DAY_MS).saturating_add(1).saturating_mul(DAY_MS),
        Wait::Said(when) => moment_ms(when, answer, said, now_ms)?,
    };
    let pause_ms = until_ms.saturating_sub(now_ms).clamp(0, MAX_MS);
    Some(Duration::from_millis(pause_ms.unsigned_abs()))
}

/// Unix milliseconds of a moment that an answer names. `None`: it names none that can be read.
pub fn moment_ms(when: &When, answer: &Answer, said: Option<&str>, now_ms: i64) -> Option<i64> {
    let text = match &when.place {
        WhenPlace::Header(name) => answer.header(name)?,
        WhenPlace::Body => said?,
    };
    read(text.trim(), when.form, now_ms).map(|at_ms| at_ms.min(now_ms.saturating_add(MAX_MS)))
}

fn read(text: &str, form: MomentForm, now_ms: i64) -> Option<i64> {
    match form {
        MomentForm::Seconds => Some(now_ms.saturating_add(number(text, 1000.0)?)),
        MomentForm::EpochSeconds => number(text, 1000.0),
        MomentForm::EpochMilliseconds => number(text, 1.0),
        MomentForm::HttpDate => {
            let since = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
            i64::try_from(since.as_millis()).ok()
        }
        MomentForm::Iso => match time::read_iso(text).ok()? {
            Reading::Instant(at) => Some(at.as_millisecond()),
            Reading::Local(local) => {
                jiff::tz::Offset::UTC.to_timestamp(local).ok().map(jiff::Timestamp::as_millisecond)
            }
            _ => None,
        },
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and what is far away is cut later")]
fn number(text: &str, factor: f64) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * factor) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_read_in_each_form() {
        for (text, form, expected) in [
            ("90", MomentForm::Seconds, Some(1_000_090_000)),
            ("1.5", MomentForm::Seconds, Some(1_000_001_500)),
            ("1700000000", MomentForm::EpochSeconds, Some(1_700_000_000_000)),
            ("1700000000123", MomentForm::EpochMilliseconds, Some(1_700_000_000_123)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", MomentForm::HttpDate, Some(784_111_777_000)),
            ("2024-01-15T12:00:00+01:00", MomentForm::Iso, Some(1_705_316_400_000)),
            ("soon", MomentForm::Seconds, None),
            ("-5", MomentForm::Seconds, None),
            ("NaN", MomentForm::EpochSeconds, None),
        ] {
            assert_eq!(read(text, form, 1_000_000_000), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_moment_or_none(text in any::<String>(), number in any::<f64>(), now_ms in any::<i64>()) {
            for form in [MomentForm::Seconds, MomentForm::EpochSeconds, MomentForm::HttpDate, MomentForm::Iso] {
                let _ = (read(&text, form, now_ms), read(&number.to_string(), form, now_ms));
            }
        }
    }
}
