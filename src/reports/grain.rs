//! Grains of time: a record says when it is in one member of `dims.time`, named after its grain (`at`, `date`,
//! `week`, `month`, `quarter`, `year`). A join on a coarser grain reads it out of a finer one, so that daily and
//! yearly records meet without storing the year twice. Weeks lie across months and years, so nothing but a date
//! or an instant gives one, and none gives anything else.

use jiff::civil::Date;

/// A grain that can be joined on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    Year,
    Quarter,
    Month,
    Week,
    Date,
}

impl Grain {
    /// The grain that the path of a dim names, if it names one.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        match path.strip_prefix("dims.time.")? {
            "year" => Some(Self::Year),
            "quarter" => Some(Self::Quarter),
            "month" => Some(Self::Month),
            "week" => Some(Self::Week),
            "date" => Some(Self::Date),
            _ => None,
        }
    }

    /// Paths of the finer grains that hold this one.
    pub(super) fn finer(self) -> &'static [&'static str] {
        match self {
            Self::Year => &["dims.time.quarter", "dims.time.month", "dims.time.date", "dims.time.at"],
            Self::Quarter => &["dims.time.month", "dims.time.date", "dims.time.at"],
            Self::Month | Self::Week => &["dims.time.date", "dims.time.at"],
            Self::Date => &["dims.time.at"],
        }
    }

    /// This grain of `time`, a text of a finer one in the form of the records (`2024-Q1`, `2024-01`, `2024-01-31`,
    /// `2024-01-31T…Z`); `None` where it has another form.
    pub(super) fn cut(self, time: &str) -> Option<String> {
        match self {
            Self::Year => year(time).map(str::to_owned),
            Self::Quarter => Some(format!("{}-Q{}", year(time)?, (month(time)? - 1) / 3 + 1)),
            Self::Month => month(time).map(|_| time[..7].to_owned()),
            Self::Week => date(time).map(week),
            Self::Date => date(time).map(|date| date.to_string()),
        }
    }
}

fn year(time: &str) -> Option<&str> {
    let year = time.get(..4)?;
    let rest = &time.as_bytes()[4..];
    (year.bytes().all(|byte| byte.is_ascii_digit()) && rest.first() == Some(&b'-')).then_some(year)
}

fn month(time: &str) -> Option<u8> {
    year(time)?;
    let digits = time.get(5..7).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|month| (1..=12).contains(month))
}

fn date(time: &str) -> Option<Date> {
    time.get(..10)?.parse().ok()
}

fn week(date: Date) -> String {
    let week = date.iso_week_date();
    format!("{:04}-W{:02}", week.year(), week.week())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finer_grain_holds_the_coarser_ones() {
        for (grain, time, expected) in [
            (Grain::Year, "2024-Q3", Some("2024")),
            (Grain::Year, "2024-07", Some("2024")),
            (Grain::Year, "2024-07-31T23:59:59Z", Some("2024")),
            (Grain::Quarter, "2024-07", Some("2024-Q3")),
            (Grain::Quarter, "2024-12-31", Some("2024-Q4")),
            (Grain::Month, "2024-07-31", Some("2024-07")),
            (Grain::Week, "2024-12-30", Some("2025-W01")),
            (Grain::Week, "2021-01-03T10:00:00Z", Some("2020-W53")),
            (Grain::Date, "2024-07-31T23:59:59Z", Some("2024-07-31")),
        ] {
            assert_eq!(grain.cut(time).as_deref(), expected, "{grain:?} of {time}");
        }
    }

    #[test]
    fn a_text_of_another_form_holds_none() {
        for time in ["", "2024", "24-07", "July 2024", "2024-13", "2024-+1", "20ü4-01", "2024-02-30"] {
            assert_eq!(Grain::Week.cut(time), None, "{time}");
            assert_eq!(Grain::Date.cut(time), None, "{time}");
        }
        assert_eq!(Grain::Month.cut("2024-13-01"), None);
        assert_eq!(Grain::Month.cut("2024-Q1"), None);
        assert_eq!(Grain::Year.cut("20245"), None);
    }
}
