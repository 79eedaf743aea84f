//! A JSON text token by token (RFC 8259), borrowed, strict, and without recursion.

use super::strings::find_special;

/// Containers may nest this deep; what is skipped counts from where the skipping begins.
pub const MAX_DEPTH: usize = 128;

/// What is wrong with the text, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    pub offset: usize,
    pub message: &'static str,
}

/// The inside of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    pub raw: &'a str,
    /// Whether `raw` has escapes.
    pub escaped: bool,
}

/// One value, or the beginning of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    Object,
    Array,
    Text(Text<'a>),
    Number(&'a str),
    Bool(bool),
    Null,
}

/// A place in a text.
#[derive(Debug, Clone)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

type Result<T> = std::result::Result<T, JsonError>;

impl<'a> Scanner<'a> {
    /// Starts at the beginning; a byte order mark is passed over.
    pub fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at }
    }

    pub fn offset(&self) -> usize {
        self.at
    }

    /// Goes on from another place, one that `offset` gave.
    pub fn jump(&mut self, offset: usize) {
        self.at = offset;
    }

    /// The text from `start` to here.
    pub fn since(&self, start: usize) -> &'a str {
        self.between(start, self.at)
    }

    /// The text from one place to another.
    pub fn between(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    /// Passes over `literal`, where exactly that comes next.
    pub fn pass(&mut self, literal: &str) -> bool {
        let is_next = self.bytes().get(self.at..).is_some_and(|rest| rest.starts_with(literal.as_bytes()));
        self.at += if is_next { literal.len() } else { 0 };
        is_next
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    pub fn fail<T>(&self, message: &'static str) -> Result<T> {
        let ended = self.at >= self.text.len();
        Err(JsonError { offset: self.at, message: if ended { "the text ends too early" } else { message } })
    }

    pub fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<()> {
        self.skip_space();
        if self.at < self.text.len() { self.fail("expected the end of the text") } else { Ok(()) }
    }

    /// Reads a value, or the bracket that opens one.
    pub fn value(&mut self) -> Result<Token<'a>> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.string().map(Token::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Number),
            Some(b'{') => {
                self.at += 1;
                Ok(Token::Object)
            }
            Some(b'[') => {
                self.at += 1;
                Ok(Token::Array)
            }
            Some(b't') => self.word("true", Token::Bool(true)),
            Some(b'f') => self.word("false", Token::Bool(false)),
            Some(b'n') => self.word("null", Token::Null),
            _ => self.fail("expected a value"),
        }
    }

    fn word(&mut self, word: &'static str, token: Token<'a>) -> Result<Token<'a>> {
        if !self.text[self.at..].starts_with(word) {
            return self.fail("expected a value");
        }
        self.at += word.len();
        Ok(token)
    }

    /// The key of the next member, `None` at the end of the object.
    pub fn next_key(&mut self, first: bool) -> Result<Option<Text<'a>>> {
        self.skip_space();
        match (self.peek(), first) {
            (Some(b'}'), _) => {
                self.at += 1;
                return Ok(None);
            }
            (Some(b','), false) => {
                self.at += 1;
                self.skip_space();
            }
            (_, true) => {}
            _ => return self.fail("expected , or }"),
        }
        if self.peek() != Some(b'"') {
            return self.fail("expected a member name");
        }
        let key = self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.fail("expected :");
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether an element follows; `false` at the end of the array.
    pub fn next_element(&mut self, first: bool) -> Result<bool> {
        self.skip_space();
        match (self.peek(), first) {
            (Some(b']'), _) => {
                self.at += 1;
                Ok(false)
            }
            (Some(b','), false) => {
                self.at += 1;
                self.skip_space();
                if self.peek() == Some(b']') { self.fail("expected a value") } else { Ok(true) }
            }
            (_, true) => Ok(true),
            _ => self.fail("expected , or ]"),
        }
    }

    fn string(&mut self) -> Result<Text<'a>> {
        let start = self.at + 1;
        let mut from = start;
        let mut escaped = false;
        loop {
            let Some(at) = find_special(self.bytes(), from) else {
                self.at = self.text.len();
                return self.fail("");
            };
            self.at = at;
            match self.bytes()[at] {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    from = self.escape(at)?;
                }
                _ => return self.fail("a control character in a text"),
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    /// Checks an escape, gives the place behind it.
    fn escape(&mut self, at: usize) -> Result<usize> {
        self.at = at + 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.peek().is_some_and(|digit| digit.is_ascii_hexdigit()) {
                        return self.fail("expected four hex digits");
                    }
                }
                Ok(at + 6)
            }
            _ => self.fail("not an escape"),
        }
    }

    fn number(&mut self) -> Result<&'a str> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fail("expected a digit"),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(self.since(start))
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<()> {
        let start = self.at;
        self.digits();
        if self.at == start { self.fail("expected a digit") } else { Ok(()) }
    }

    /// Passes over the next value and checks it.
    pub fn skip_value(&mut self) -> Result<()> {
        match self.value()? {
            Token::Object => self.skip_rest(true),
            Token::Array => self.skip_rest(false),
            _ => Ok(()),
        }
    }

    /// Passes over the rest of a container whose opening bracket was just read.
    pub fn skip_rest(&mut self, object: bool) -> Result<()> {
        // One bit for each open container: 1 for an object.
        let mut open: u128 = u128::from(object);
        let mut depth = 1;
        let mut first = true;
        loop {
            let more = if open & 1 == 1 { self.next_key(first)?.is_some() } else { self.next_element(first)? };
            first = false;
            if !more {
                depth -= 1;
                open >>= 1;
                if depth == 0 {
                    return Ok(());
                }
                continue;
            }
            let inner = match self.value()? {
                Token::Object => true,
                Token::Array => false,
                _ => continue,
            };
            if depth == MAX_DEPTH {
                return self.fail("nested too deep");
            }
            depth += 1;
            open = open << 1 | u128::from(inner);
            first = true;
        }
    }
}

/// Line and column (in characters, from 1) of a byte.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.bytes().filter(|byte| *byte == b'\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepts(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.skip_value().and_then(|()| scanner.end()).is_ok()
    }

    /// The library skips without looking at surrogates, as the scanner does.
    fn library_accepts(text: &str) -> bool {
        serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, offset, message) in [
            ("", 0, "the text ends too early"),
            ("{\"a\":1", 6, "the text ends too early"),
            ("[1,]", 3, "expected a value"),
            ("[1 2]", 3, "expected , or ]"),
            ("{\"a\" 1}", 5, "expected :"),
            ("{a:1}", 1, "expected a member name"),
            ("NaN", 0, "expected a value"),
            ("01", 1, "expected the end of the text"),
            ("1.", 2, "the text ends too early"),
            ("\"a\nb\"", 2, "a control character in a text"),
            ("\"\\x\"", 2, "not an escape"),
            ("\"abc", 4, "the text ends too early"),
            ("1 x", 2, "expected the end of the text"),
        ] {
            let mut scanner = Scanner::new(text);
            let error = scanner.skip_value().and_then(|()| scanner.end()).unwrap_err();
            assert_eq!((error.offset, error.message), (offset, message), "{text:?}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nest = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(accepts(&nest(MAX_DEPTH)));
        assert!(!accepts(&nest(MAX_DEPTH + 1)));
        assert!(!accepts(&"[".repeat(1_000_000)));
        assert!(!accepts(&"{\"a\":".repeat(1_000_000)));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert!(accepts("\u{feff}{\"a\": 1}"));
    }

    #[test]
    fn places_are_lines_and_columns() {
        assert_eq!(line_and_column("ab\ncé{", 6), (2, 3));
        assert_eq!(line_and_column("", 0), (1, 1));
    }

    proptest! {
        #[test]
        fn agrees_with_the_library_on_any_text(text in "[\\[\\]{}:,\"\\\\ntrue0-9.eE+ \n-]{0,24}") {
            prop_assert_eq!(accepts(&text), library_accepts(&text), "{}", text);
        }

        #[test]
        fn agrees_with_the_library_on_broken_json(
            mut bytes in crate::pipeline::testing::json().prop_map(|value| value.to_string().into_bytes()),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<bool>(),
        ) {
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
            if let Ok(text) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(accepts(text), library_accepts(text), "{}", text);
            }
        }
    }
}
