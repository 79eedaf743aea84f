//! Numbers as sources write them.

use crate::domain::canonical::write_number;

/// The longest text that is looked at as a number.
const MAX_CHARS: usize = 400;

/// Reads a number: JSON's own forms, and `1,234.5`, `1 234` (with a space that does not break), `12.5%` (12.5),
/// `(2.5%)` (-2.5), `.87`, `+1`, `−3` with a real minus. `None` for all else, also for what is not finite.
pub fn read(text: &str) -> Option<f64> {
    if let Some(number) = plain(text) {
        return Some(number);
    }
    if text.len() > MAX_CHARS {
        return None;
    }
    let text = text.trim_matches(is_space);
    let (text, negative) = match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inner) => (inner.trim_matches(is_space), true),
        None => (text, false),
    };
    let text = text.strip_suffix('%').map_or(text, |text| text.trim_end_matches(is_space));
    let (text, minus) = sign(text);
    if minus && negative {
        return None;
    }
    let number = plain(&ungrouped(text)?)?;
    // A sign stands at the front only.
    if text.starts_with(['-', '+']) {
        return None;
    }
    Some(if minus || negative { -number } else { number })
}

/// Reads a number whose fraction begins with a comma and whose digits are grouped by points.
pub fn read_comma(text: &str) -> Option<f64> {
    if text.len() > MAX_CHARS {
        return None;
    }
    let swapped = text.chars().map(|next| match next {
        ',' => '.',
        '.' => ',',
        other => other,
    });
    read(&swapped.collect::<String>())
}

fn sign(text: &str) -> (&str, bool) {
    for (mark, minus) in [('+', false), ('-', true), ('\u{2212}', true)] {
        if let Some(rest) = text.strip_prefix(mark) {
            return (rest, minus);
        }
    }
    (text, false)
}

/// White space, the kinds that do not break among them.
fn is_space(next: char) -> bool {
    next.is_whitespace() || next == '\u{a0}' || next == '\u{202f}' || next == '\u{2007}'
}

/// Digits, a point, an exponent: nothing that Rust reads beyond that (`inf`, `nan`).
fn plain(text: &str) -> Option<f64> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || first == b'-' || first == b'.') {
        return None;
    }
    let last = text.bytes().last()?;
    if !(last.is_ascii_digit() || last == b'.') || text.contains(['n', 'N', 'i', 'I']) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Takes the marks between groups of three digits out; `None` where groups are of another size.
fn ungrouped(text: &str) -> Option<String> {
    let end = text.find(['.', 'e', 'E']).unwrap_or(text.len());
    let (whole, rest) = text.split_at(end);
    let Some(mark) = whole.chars().find(|next| !next.is_ascii_digit()) else { return Some(text.to_owned()) };
    if mark != ',' && mark != '\'' && mark != '\u{2019}' && !is_space(mark) {
        return None;
    }
    let groups: Vec<&str> = whole.split(mark).collect();
    let sizes = groups.iter().enumerate().all(|(index, group)| match (index, group.len()) {
        (0, 1..=3) => true,
        (0, _) => false,
        (_, length) => length == 3,
    });
    let digits = groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_digit()));
    (sizes && digits).then(|| groups.concat() + rest)
}

/// Writes a JSON number as canonical JSON. Most are so already: then the text itself is written.
/// `None` where it is too large for a number.
pub fn write_raw(out: &mut Vec<u8>, raw: &str) -> Option<()> {
    if is_canonical(raw.as_bytes()) {
        out.extend_from_slice(raw.as_bytes());
        return Some(());
    }
    let number: f64 = raw.parse().ok().filter(|number: &f64| number.is_finite())?;
    write_number(out, number);
    Some(())
}

/// Whether a JSON number is written as canonical JSON writes it: at most 15 digits (so that no other text of as
/// few digits means the same double), no exponent, no zero at the end of a fraction, not below 1e-6, no `-0`.
fn is_canonical(raw: &[u8]) -> bool {
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    let point = digits.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &digits[..0]),
    };
    let short = whole.len() + fraction.len() <= 15;
    let plain = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    let ends_well = point.is_none() || fraction.last().is_some_and(|last| *last != b'0');
    let not_tiny = whole != b"0"
        || (fraction.is_empty() && digits.len() == raw.len())
        || fraction.iter().take(5).any(|byte| *byte != b'0');
    short && plain && ends_well && not_tiny
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_sources_write() {
        for (text, number) in [
            ("1663823", 1_663_823.0),
            ("1,234.5", 1234.5),
            ("2,794,356", 2_794_356.0),
            ("1\u{a0}234\u{a0}567", 1_234_567.0),
            ("1\u{202f}234", 1234.0),
            ("12.5%", 12.5),
            ("12.5 %", 12.5),
            ("(2.5%)", -2.5),
            ("(1,000)", -1000.0),
            (".87", 0.87),
            ("-.16", -0.16),
            ("+1", 1.0),
            ("\u{2212}3", -3.0),
            ("1.032e-05", 1.032e-5),
            (" 7 ", 7.0),
            ("1.", 1.0),
            ("-666666666", -666_666_666.0),
        ] {
            assert_eq!(read(text), Some(number), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in [
            "",
            "-",
            ".",
            "NaN",
            "inf",
            "-inf",
            "infinity",
            "1e999",
            "<2.5",
            "1,5",
            "1,23,456",
            "12,34",
            ",123",
            "1.2.3",
            "(-5)",
            "--5",
            "+-5",
            "0x10",
            "1_000",
            "12 34",
            "5 USD",
            "(5",
            "%",
            "1,234,56",
            "78.5 [78.2-78.8]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), shaped in "[-+(]?[0-9.,% ]{0,12}[)%eE]?[0-9]{0,3}") {
            for written in [&text, &shaped] {
                prop_assert!(read(written).is_none_or(f64::is_finite));
            }
        }

        #[test]
        fn writes_as_the_slow_way_does(raw in "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?") {
            let mut quick = Vec::new();
            write_raw(&mut quick, &raw).unwrap();
            let mut slow = Vec::new();
            write_number(&mut slow, raw.parse().unwrap());
            prop_assert_eq!(String::from_utf8(quick).unwrap(), String::from_utf8(slow).unwrap(), "{}", raw);
        }

        #[test]
        fn writes_every_double_as_the_slow_way_does(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            let raw = serde_json::to_string(&number).unwrap();
            let mut quick = Vec::new();
            write_raw(&mut quick, &raw).unwrap();
            let mut slow = Vec::new();
            write_number(&mut slow, number);
            prop_assert_eq!(quick, slow);
        }
    }
}
