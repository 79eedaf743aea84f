//! Texts as PostgreSQL takes them: all but the character 0, which it cannot hold and others can.

use std::borrow::Cow;

/// The text with U+FFFD in place of each character 0.
pub(super) fn kept(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn only_the_character_0_is_replaced() {
        assert_eq!(kept("a\0b"), "a\u{fffd}b");
        assert_eq!(kept("ü\n"), "ü\n");
    }
}
