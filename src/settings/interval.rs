//! A span of time as an operator writes it: `1d`, `24h`, `1h30m`; a day has 24 hours.

use std::fmt;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval(SignedDuration);

impl Interval {
    pub fn parse(text: &str) -> Result<Self, String> {
        let span: Option<Span> = text.trim().parse().ok();
        let span = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
        let span = span.filter(SignedDuration::is_positive);
        span.map(Self).ok_or_else(|| "expected a time such as 1d, 24h or 1h30m".to_owned())
    }

    pub fn as_ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(source)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_and_shown_as_people_write_it() {
        let day = Interval::parse(" 24h ").unwrap();
        assert_eq!((day.as_ms(), day.to_string().as_str()), (86_400_000, "24h"));
        assert_eq!(Interval::parse("1d").unwrap(), day);
        assert_eq!(Interval::parse("1h30m").unwrap().as_ms(), 5_400_000);
        for bad in ["", "0s", "-5m", "3600000", "soon", "1 month"] {
            assert!(Interval::parse(bad).is_err(), "{bad}");
        }
    }
}
