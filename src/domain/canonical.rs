//! Canonical JSON (RFC 8785) for the two things records are made of: texts and finite numbers. The bytes
//! decide a record's id, so every path that makes records writes through here and nowhere else.

/// Appends `text` as a JSON string with the escapes RFC 8785 asks for.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[plain_from..index]);
        plain_from = index + 1;
        write_escape(out, byte);
    }
    out.extend_from_slice(&bytes[plain_from..]);
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends a finite number the way ECMAScript prints it. The caller has checked that it is finite.
pub fn write_number(out: &mut Vec<u8>, number: f64) {
    debug_assert!(number.is_finite(), "records hold finite numbers only");
    let mut buffer = ryu_js::Buffer::new();
    out.extend_from_slice(buffer.format_finite(number).as_bytes());
}

/// The order of object members in RFC 8785: by UTF-16 code units.
pub fn member_order(left: &str, right: &str) -> std::cmp::Ordering {
    if left.is_ascii() && right.is_ascii() {
        return left.cmp(right);
    }
    left.encode_utf16().cmp(right.encode_utf16())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_of(text: &str) -> String {
        let mut out = Vec::new();
        write_text(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    fn number_of(number: f64) -> String {
        let mut out = Vec::new();
        write_number(&mut out, number);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_print_as_ecmascript_does() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (39_538_223.0, "39538223"),
            (1e21, "1e+21"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (-178.41, "-178.41"),
        ] {
            assert_eq!(number_of(number), text);
        }
    }

    #[test]
    fn members_order_by_utf16() {
        assert_eq!(member_order("\u{fb33}", "\u{1f600}"), std::cmp::Ordering::Greater);
        assert_eq!(member_order("a", "b"), std::cmp::Ordering::Less);
    }

    proptest! {
        #[test]
        fn texts_agree_with_the_reference(text in any::<String>()) {
            prop_assert_eq!(text_of(&text), serde_jcs::to_string(&text).unwrap());
        }

        #[test]
        fn numbers_agree_with_the_reference(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            prop_assert_eq!(number_of(number), serde_jcs::to_string(&number).unwrap());
        }
    }
}
