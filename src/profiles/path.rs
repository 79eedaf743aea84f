//! Paths into an answer: `country.value`, `["City / Ville"]`, `coordinates[0]`, `$.data[*]`. The part of JSONPath
//! (RFC 9535) that names places without searching, with a leading `$.` left out at will.

use std::fmt;

/// A path has at most this many parts.
pub const MAX_SEGMENTS: usize = 32;
const MAX_CHARS: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Name(String),
    Index(u32),
    /// Every element of an array.
    All,
}

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `$`: the whole answer.
    Document,
    /// `@`: the row, whatever its first name is.
    Row,
    /// No mark: a name decides (a step, `param`, `window`, `doc`), otherwise the row.
    Open,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub origin: Origin,
    pub segments: Vec<Segment>,
}

impl Path {
    /// Reads a path. The error says what is wrong and at which character.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the path is empty".into());
        }
        if text.chars().count() > MAX_CHARS {
            return Err(format!("the path is longer than {MAX_CHARS} characters"));
        }
        let mut reader = Reader { chars: text.chars().collect(), at: 0 };
        let origin = reader.origin();
        let segments = reader.segments(origin == Origin::Open)?;
        if segments.len() > MAX_SEGMENTS {
            return Err(format!("the path has {} parts; at most {MAX_SEGMENTS} are allowed", segments.len()));
        }
        Ok(Self { origin, segments })
    }

    /// The first part, where it is a name.
    pub fn first_name(&self) -> Option<&str> {
        match self.segments.first() {
            Some(Segment::Name(name)) => Some(name),
            _ => None,
        }
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    /// `$` and `@` mark an origin only where a path goes on behind them: `$id` is a name.
    fn origin(&mut self) -> Origin {
        let goes_on = matches!(self.chars.get(1), None | Some('.' | '['));
        let origin = match self.peek() {
            Some('$') if goes_on => Origin::Document,
            Some('@') if goes_on => Origin::Row,
            _ => return Origin::Open,
        };
        self.at = 1;
        origin
    }

    fn segments(&mut self, open: bool) -> Result<Vec<Segment>, String> {
        let mut segments = Vec::new();
        if open && self.peek() != Some('[') {
            segments.push(self.name()?);
        }
        while let Some(next) = self.take() {
            match next {
                '.' => segments.push(self.name()?),
                '[' => segments.push(self.bracket()?),
                other => return Err(self.wrong(&format!("{other:?} after ]"), ". or [")),
            }
        }
        Ok(segments)
    }

    fn wrong(&self, found: &str, expected: &str) -> String {
        format!("at character {}: expected {expected}, found {found}", self.at)
    }

    fn name(&mut self) -> Result<Segment, String> {
        let start = self.at;
        while self.peek().is_some_and(|next| next != '.' && next != '[') {
            self.at += 1;
        }
        let name: String = self.chars[start..self.at].iter().collect();
        match name.as_str() {
            "" => Err(format!("at character {}: a name is missing", start + 1)),
            "*" => Ok(Segment::All),
            _ if name.contains(']') => Err(format!("at character {}: ] without [", start + 1)),
            _ => Ok(Segment::Name(name)),
        }
    }

    fn bracket(&mut self) -> Result<Segment, String> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            self.at += 1;
            return self.quoted(quote);
        }
        let start = self.at;
        while self.peek().is_some_and(|next| next != ']') {
            self.at += 1;
        }
        let inner: String = self.chars[start..self.at].iter().collect();
        if self.take().is_none() {
            return Err(format!("the [ at character {start} is not closed"));
        }
        if inner == "*" {
            return Ok(Segment::All);
        }
        inner
            .parse()
            .map(Segment::Index)
            .map_err(|_| format!("at character {start}: [{inner}] is not understood; expected [0], [*] or [\"name\"]"))
    }

    fn quoted(&mut self, quote: char) -> Result<Segment, String> {
        let start = self.at;
        let mut name = String::new();
        while let Some(next) = self.take() {
            match next {
                '\\' => name.extend(self.take()),
                _ if next == quote => {
                    return match self.take() {
                        Some(']') => Ok(Segment::Name(name)),
                        _ => Err(format!("at character {}: expected ]", self.at)),
                    };
                }
                _ => name.push(next),
            }
        }
        Err(format!("the {quote} at character {start} is not closed"))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Document => f.write_str("$")?,
            Origin::Row => f.write_str("@")?,
            Origin::Open => {}
        }
        let bare = self.origin == Origin::Open;
        for (index, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::All => f.write_str("[*]")?,
                Segment::Index(number) => write!(f, "[{number}]")?,
                Segment::Name(name) if plain(name) && bare && index == 0 => f.write_str(name)?,
                Segment::Name(name) if plain(name) => write!(f, ".{name}")?,
                Segment::Name(name) => write!(f, "[\"{}\"]", name.replace('\\', "\\\\").replace('"', "\\\""))?,
            }
        }
        Ok(())
    }
}

fn plain(name: &str) -> bool {
    let marks = |next: char| ".[]\"\\$@{}".contains(next) || next.is_whitespace() || next.is_control();
    !name.is_empty() && name != "*" && !name.contains(marks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> String {
        match Path::parse(text) {
            Ok(path) => format!("{:?} {path}", path.origin),
            Err(error) => error,
        }
    }

    #[test]
    fn reads_the_forms() {
        for (text, expected) in [
            ("NAME", "Open NAME"),
            ("a.b[0].c", "Open a.b[0].c"),
            ("$", "Document $"),
            ("$.data[*]", "Document $.data[*]"),
            ("$[1][*]", "Document $[1][*]"),
            ("@.doc", "Row @.doc"),
            ("[\"City / Ville\"]", "Open [\"City / Ville\"]"),
            ("City / Ville", "Open [\"City / Ville\"]"),
            ("total-count", "Open total-count"),
            ("$.*", "Document $[*]"),
            ("['it\\'s']", "Open it's"),
            ("$id", "Open [\"$id\"]"),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("", "the path is empty"),
            ("a..b", "at character 3: a name is missing"),
            ("a[1", "the [ at character 2 is not closed"),
            ("a[x]", "at character 2: [x] is not understood; expected [0], [*] or [\"name\"]"),
            ("a[0]b", "at character 5: expected . or [, found 'b' after ]"),
            ("a]", "at character 1: ] without ["),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Path::parse(&text);
        }

        #[test]
        fn what_is_shown_reads_back(names in prop::collection::vec("[a-zA-Z ./\\[\"'$@é\\\\\\n\\x00*]{0,8}", 1..5), index in 0u32..99) {
            let mut segments: Vec<Segment> = names.into_iter().map(Segment::Name).collect();
            segments.push(Segment::Index(index));
            segments.push(Segment::All);
            let path = Path { origin: Origin::Document, segments };
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }
    }
}
