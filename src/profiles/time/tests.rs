//! Times as they are read and written.

use super::*;
use proptest::prelude::*;

fn iso(text: &str, grain: Grain) -> String {
    let mut out = String::new();
    match read_iso(text).and_then(|reading| write(&mut out, reading, grain)) {
        Ok(()) => out,
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn one_text_for_each_grain() {
    for (text, grain, expected) in [
        ("2022", Grain::Year, "2022"),
        ("2021.0", Grain::Year, "2021"),
        ("2024-01-15", Grain::Year, "2024"),
        ("2024Q1", Grain::Quarter, "2024-Q1"),
        ("2024-05", Grain::Quarter, "2024-Q2"),
        ("2024M03", Grain::Month, "2024-03"),
        ("2024-01-15", Grain::Month, "2024-01"),
        ("2024-W05", Grain::Week, "2024-W05"),
        ("2024-12-30", Grain::Week, "2025-W01"),
        ("2024-01-15T12:53:00+00:00", Grain::Date, "2024-01-15"),
        ("2024-01-15T12:53", Grain::Date, "2024-01-15"),
        ("2024-01-15T12:53:00Z", Grain::At, "2024-01-15T12:53:00Z"),
        ("2024-01-15T08:00:00.476-05:00", Grain::At, "2024-01-15T13:00:00.476Z"),
        ("2024-01-15 08:00:00+0530", Grain::At, "2024-01-15T02:30:00Z"),
        ("2024-01-05T14:30:00.000", Grain::At, "NoZone"),
        ("2024-01-15", Grain::At, "TooCoarse"),
        ("2024", Grain::Month, "TooCoarse"),
        ("2024-02-30", Grain::Date, "Unreadable"),
        ("2024-13", Grain::Month, "Unreadable"),
        ("24-01-01", Grain::Date, "Unreadable"),
        ("2024-01-15T25:00Z", Grain::At, "2024-01-16T01:00:00Z"),
        ("2024-02-29T24:00:00Z", Grain::At, "2024-03-01T00:00:00Z"),
        ("2024-01-15T48:00Z", Grain::At, "Unreadable"),
        ("20240115", Grain::Date, "2024-01-15"),
        ("2024W05", Grain::Week, "2024-W05"),
        ("", Grain::Year, "Unreadable"),
    ] {
        assert_eq!(iso(text, grain), expected, "{text} at {grain:?}");
    }
}

#[test]
fn epochs_and_patterns() {
    let at = |reading: Result<Reading, TimeError>| {
        let mut out = String::new();
        reading.and_then(|reading| write(&mut out, reading, Grain::At)).unwrap();
        out
    };
    assert_eq!(at(read_epoch("1704093009476", 1000)), "2024-01-01T07:10:09.476Z");
    assert_eq!(at(read_epoch("-1", 1)), "1969-12-31T23:59:59Z");
    assert_eq!(at(read_epoch("1.5", 1)), "1970-01-01T00:00:01.500Z");
    assert!(read_epoch("1e300", 1).is_err());
    assert_eq!(read_pattern("2024M03", "%YM%m"), Ok(Reading::Month(2024, 3)));
    assert_eq!(read_pattern("20240115", "%Y%m%d"), Ok(Reading::Date(jiff::civil::date(2024, 1, 15))));
    assert_eq!(read_pattern("Jan-24", "%b-%y"), Ok(Reading::Month(2024, 1)));
    assert_eq!(read_pattern("2015100107", "%Y%m%d%H").map(year), Ok(2015));
    assert!(read_pattern("x", "%Y").is_err());
    let late = read_pattern("20241231 25:10:00", "%Y%m%d %H:%M:%S").unwrap();
    assert_eq!(late, Reading::Local(jiff::civil::datetime(2025, 1, 1, 1, 10, 0, 0)));
}

#[test]
fn a_year_that_four_digits_cannot_say_is_refused() {
    let before = read_epoch("-070400013399", 1).unwrap();
    for grain in [Grain::Year, Grain::Quarter, Grain::Month, Grain::Week, Grain::Date, Grain::At] {
        let mut out = String::new();
        assert_eq!((write(&mut out, before, grain), out.as_str()), (Err(TimeError::Unreadable), ""));
    }
    // The first day of year 0 is in the last week of the year before.
    let first = read_iso("0000-01-01").unwrap();
    assert_eq!(write(&mut String::new(), first, Grain::Week), Err(TimeError::Unreadable));
}

#[test]
fn zones_and_offsets() {
    let local = read_iso("2024-01-05T14:30:00").unwrap();
    let mut out = String::new();
    write(&mut out, place_offset(local, 3600).unwrap(), Grain::At).unwrap();
    assert_eq!(out, "2024-01-05T13:30:00Z");
    let zone = TimeZone::get("America/Chicago").unwrap();
    out.clear();
    write(&mut out, place_local(local, &zone).unwrap().0, Grain::At).unwrap();
    assert_eq!(out, "2024-01-05T20:30:00Z");
    // Skipped and repeated: the offset before the change, and it is told.
    for (text, expected) in
        [("2024-03-10T02:30:00", "2024-03-10T08:30:00Z"), ("2024-11-03T01:30:00", "2024-11-03T06:30:00Z")]
    {
        let (reading, sure) = place_local(read_iso(text).unwrap(), &zone).unwrap();
        out.clear();
        write(&mut out, reading, Grain::At).unwrap();
        assert_eq!((out.as_str(), sure), (expected, false));
    }
    assert_eq!(read_offset("-18000"), Some(-18_000));
    assert_eq!(read_offset("+05:30"), Some(19_800));
    assert_eq!(read_offset("-0500"), Some(-18_000));
    assert_eq!(read_offset("x"), None);
}

proptest! {
    #[test]
    fn what_counts_as_written_reads_as_itself(text in "[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?") {
        for grain in [Grain::Year, Grain::Month, Grain::Date] {
            prop_assert!(!is_written(&text, grain) || iso(&text, grain) == text, "{} {:?}", text, grain);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), shaped in "[0-9]{4}[-MQ.W]?[0-9:TZ+. -]{0,24}") {
        for written in [&text, &shaped] {
            for grain in [Grain::Year, Grain::Quarter, Grain::Month, Grain::Week, Grain::Date, Grain::At] {
                let _ = iso(written, grain);
            }
            let _ = (read_epoch(written, 1), read_epoch(written, 1000));
        }
    }

    #[test]
    fn instants_agree_with_the_library(ms in -60_000_000_000_000_i64..250_000_000_000_000) {
        let instant = Timestamp::from_millisecond(ms).unwrap();
        prop_assume!((0..=9999).contains(&jiff::tz::Offset::UTC.to_datetime(instant).year()));
        let text = instant.to_string();
        prop_assert_eq!(read_iso(&text), Ok(Reading::Instant(instant)));
        let shown = iso(&text, Grain::At);
        prop_assert_eq!(shown.parse::<Timestamp>().unwrap(), instant);
    }
}
