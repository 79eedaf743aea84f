//! The inside of JSON strings: finding their end fast, and undoing escapes.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Index of the first byte from `at` on that is a quote, a backslash or a control character.
pub fn find_special(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let (words, tail) = rest.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marks = specials(u64::from_le_bytes(*word));
        if marks != 0 {
            let byte = usize::try_from(marks.trailing_zeros() / 8).unwrap_or(0);
            return Some(at + index * 8 + byte);
        }
    }
    let offset = tail.iter().position(|byte| is_special(*byte))?;
    Some(at + words.len() * 8 + offset)
}

/// The high bit of each byte that is special. A false mark can stand only behind a true one.
fn specials(word: u64) -> u64 {
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    let zero_in = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero_in(quote) | zero_in(backslash) | control) & HIGH
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends the text that `raw`, the inside of a JSON string, stands for. `None`: half of a surrogate pair.
pub fn unescape(raw: &str, out: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1)?;
        rest = &rest[at + 2..];
        let plain = match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (next, behind) = unicode(rest)?;
                rest = behind;
                next
            }
            other => char::from(*other),
        };
        out.push(plain);
    }
    out.push_str(rest);
    Some(())
}

/// Reads the digits behind `\u`, and the second half of a pair.
fn unicode(rest: &str) -> Option<(char, &str)> {
    let first = hex(rest)?;
    let rest = rest.get(4..)?;
    if !(0xD800..0xE000).contains(&first) {
        return char::from_u32(first).map(|next| (next, rest));
    }
    let behind = rest.strip_prefix("\\u")?;
    let second = hex(behind).filter(|second| (0xDC00..0xE000).contains(second))?;
    let code = 0x10000 + ((first.checked_sub(0xD800).filter(|high| *high < 0x400)?) << 10) + (second - 0xDC00);
    Some((char::from_u32(code)?, behind.get(4..)?))
}

fn hex(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(bytes in prop::collection::vec(any::<u8>(), 0..64), at in 0usize..70) {
            let plain = bytes.iter().enumerate().skip(at).find(|(_, byte)| is_special(**byte)).map(|(index, _)| index);
            prop_assert_eq!(find_special(&bytes, at), plain);
        }

        #[test]
        fn undoes_what_the_library_escapes(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            let mut out = String::new();
            prop_assert_eq!(unescape(&quoted[1..quoted.len() - 1], &mut out), Some(()));
            prop_assert_eq!(out, text);
        }
    }

    #[test]
    fn pairs_are_joined_and_halves_refused() {
        let mut out = String::new();
        assert_eq!(unescape("\\ud83d\\ude00\\u00e9", &mut out), Some(()));
        assert_eq!(out, "😀é");
        for half in ["\\ud83d", "\\ud83dx", "\\ude00", "\\ud83d\\u0041"] {
            assert_eq!(unescape(half, &mut String::new()), None, "{half}");
        }
    }
}
