//! How sources write that there is no value.

use std::collections::BTreeSet;

use super::columns::reads_as_number;

/// Texts that stand for "no value" wherever numbers are expected, in small letters.
const SPELLINGS: [&str; 36] = [
    "",
    ".",
    "..",
    "...",
    "-",
    "--",
    "---",
    "–",
    "—",
    "*",
    "**",
    "***",
    "****",
    "?",
    ":",
    "n/a",
    "na",
    "#n/a",
    "(na)",
    "(d)",
    "(x)",
    "(s)",
    "nan",
    "null",
    "none",
    "nil",
    "mm",
    "m",
    "x",
    "nd",
    "n.d.",
    "no data",
    "missing",
    "not available",
    "suppressed",
    "unknown",
];

/// The text says that there is no value.
pub fn is_spelling(text: &str) -> bool {
    SPELLINGS.contains(&text.trim().to_lowercase().as_str())
}

/// Numbers that stand for "no value" among these: -9999, -666666666, and -999 where nothing else is near it.
pub fn sentinels<'t>(texts: &[&'t str]) -> BTreeSet<&'t str> {
    let numbers: Vec<f64> =
        texts.iter().filter(|text| !is_alike(text, 4)).filter_map(|text| text.parse().ok()).collect();
    let smallest = numbers.iter().copied().filter(|number| !is_alike(&number.to_string(), 3)).fold(0.0, f64::min);
    let is_far = |text: &str| text.parse::<f64>().is_ok_and(|number| number < 3.0 * smallest && number < -90.0);
    texts.iter().copied().filter(|text| is_alike(text, 4) || (is_alike(text, 3) && is_far(text))).collect()
}

/// Negative, of at least so many digits, all alike: -999.9, -8888. A fraction of zeros does not count.
fn is_alike(text: &str, least: usize) -> bool {
    let Some(number) = text.trim().strip_prefix('-') else { return false };
    let number = number
        .split_once('.')
        .filter(|(_, rest)| rest.bytes().all(|byte| byte == b'0'))
        .map_or(number, |(whole, _)| whole);
    let digits: Vec<u8> = number.bytes().filter(|byte| *byte != b'.').collect();
    let whole = number.split('.').next().unwrap_or("").len();
    digits.len() >= least
        && whole >= 2
        && digits[0].is_ascii_digit()
        && digits[0] != b'0'
        && digits.iter().all(|digit| *digit == digits[0])
}

/// Of the texts of a column, those that stand for "no value" where the rest are numbers; `None` where the column is
/// none of numbers.
pub fn of_numbers(there: &[&str]) -> Option<Vec<String>> {
    let numbers = there.iter().filter(|text| reads_as_number(text)).count();
    let others: BTreeSet<&str> = there.iter().copied().filter(|text| !reads_as_number(text)).collect();
    let all_known = others.iter().all(|text| is_spelling(text));
    let few = others.len() <= 5 && numbers * 2 >= there.len();
    let short = others.iter().all(|text| text.chars().count() <= 5 || is_spelling(text));
    if numbers == 0 || !(all_known || (few && short)) {
        return None;
    }
    let sentinels = sentinels(there);
    (numbers > there.iter().filter(|text| sentinels.contains(*text)).count())
        .then(|| others.into_iter().chain(sentinels).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_no_value_are_told_from_numbers() {
        for (texts, expected) in [
            (vec!["1", "."], Some(vec!["."])),
            (vec!["1.5", "***", "***", "***"], Some(vec!["***"])),
            (vec!["12", "-9999", "-9999.0"], Some(vec!["-9999", "-9999.0"])),
            (vec!["12.5", "-999.9"], Some(vec!["-999.9"])),
            (vec!["-101.5", "-99.9", "-87.6"], Some(vec![])),
            (vec!["12", "-999"], Some(vec!["-999"])),
            (vec!["-666666666", "7"], Some(vec!["-666666666"])),
            (vec!["a", "b", "1"], None),
            (vec!["MM", "MM"], None),
            (vec!["-11", "-22", "5"], Some(vec![])),
        ] {
            let expected = expected.map(|list| list.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(of_numbers(&texts), expected, "{texts:?}");
        }
    }
}
