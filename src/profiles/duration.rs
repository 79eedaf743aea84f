//! Lengths of time as an author writes them: `6h`, `1h30m`, `P7D`, `PT1S`.

use std::borrow::Cow;

use jiff::{SpanRelativeTo, Unit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::node::{Node, Read, Value, mismatch};
use super::problem::Problem;

/// The longest time between two runs, a timeout and the like may be.
const MAX_MS: i64 = 2 * 366 * 86_400_000;

/// Longer than anything was ever kept.
const MAX_AGE_MS: i64 = 200 * 366 * 86_400_000;

/// An exact length of time; a day is 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    pub ms: u64,
}

/// A length on the calendar: a month is a month.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub span: jiff::Span,
    /// For comparison: a month counts 30 days, a year 365.
    pub about_ms: i64,
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.span.fieldwise() == other.span.fieldwise()
    }
}

fn span(text: &str) -> Option<jiff::Span> {
    text.trim().parse().ok()
}

/// A month counts 30 days and a year 365: for comparison only.
pub fn about_ms(span: &jiff::Span) -> i64 {
    let days = i64::from(span.get_years()) * 365 + i64::from(span.get_months()) * 30 + i64::from(span.get_weeks()) * 7;
    let exact = span.years(0).months(0).weeks(0);
    let rest = exact.total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours())).unwrap_or(f64::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what a comparison needs")]
    days.saturating_mul(86_400_000).saturating_add(rest as i64)
}

fn exact(text: &str) -> Option<u64> {
    let span = span(text)?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return None;
    }
    let ms = about_ms(&span);
    (0..=MAX_MS).contains(&ms).then_some(ms.unsigned_abs())
}

/// How old something may get; a month counts 30 days and a year 365.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    pub ms: u64,
}

/// An age in milliseconds: `P2Y`, `90d`.
pub fn age_ms(text: &str) -> Option<u64> {
    let ms = span(text).map(|span| about_ms(&span)).filter(|ms| (0..=MAX_AGE_MS).contains(ms))?;
    Some(ms.unsigned_abs())
}

impl Read for Age {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        if let Value::Text(text) = &node.value
            && let Some(ms) = age_ms(text)
        {
            return Some(Self { ms });
        }
        mismatch(node, "an age such as P2Y, 18 months, 90d or 12h, at most 200 years", problems);
        None
    }
}

impl Read for Duration {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        if let Value::Text(text) = &node.value
            && let Some(ms) = exact(text)
        {
            return Some(Self { ms });
        }
        mismatch(node, "a length of time such as 6h, 1h30m, P7D or PT30S, at most two years", problems);
        None
    }
}

impl Read for Step {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        if let Value::Text(text) = &node.value
            && let Some(span) = span(text)
        {
            let about_ms = about_ms(&span);
            if about_ms > 0 {
                return Some(Self { span, about_ms });
            }
            problems.push(Problem::new(node.place, "a window cannot be empty or run backwards"));
            return None;
        }
        mismatch(node, "a length of time such as P7D, P1M or P20Y", problems);
        None
    }
}

macro_rules! schema {
    ($name:ident, $text:literal) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $text })
            }
        }
    };
}

schema!(Duration, "A length of time: 6h, 1h30m, P7D, PT30S.");
schema!(Age, "An age: P2Y, 90d, 12h; a month counts 30 days, a year 365.");
schema!(Step, "A length on the calendar: P7D, P1M, P20Y.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms() {
        for (text, ms) in [
            ("6h", 21_600_000),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("P7D", 604_800_000),
            ("PT1S", 1_000),
            ("P1DT2H", 93_600_000),
            ("250ms", 250),
            ("2 weeks", 1_209_600_000),
        ] {
            assert_eq!(exact(text), Some(ms), "{text}");
        }
        for text in ["", "6", "-6h", "P1M", "1 fortnight", "P9999D"] {
            assert_eq!(exact(text), None, "{text}");
        }
    }
}
