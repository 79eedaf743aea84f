//! One value that a row can use, borrowed from the answer.

use std::borrow::Cow;

use super::scan::Text;
use super::strings::unescape;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cell<'a> {
    /// There is nothing at the place.
    #[default]
    Absent,
    Null,
    Bool(bool),
    /// As it is written in the answer.
    Number(&'a str),
    /// A text that JSON writes without escapes.
    Clean(&'a str),
    /// The inside of a JSON string with escapes.
    Escaped(&'a str),
    /// A text from elsewhere, which JSON may have to escape.
    Text(&'a str),
    /// An object or an array, as JSON.
    Tree(&'a str),
}

impl<'a> From<Text<'a>> for Cell<'a> {
    fn from(text: Text<'a>) -> Self {
        if text.escaped { Self::Escaped(text.raw) } else { Self::Clean(text.raw) }
    }
}

impl<'a> Cell<'a> {
    /// Whether there is a value: not absent, not null, not "".
    pub fn has_value(self) -> bool {
        !matches!(self, Self::Absent | Self::Null | Self::Clean("") | Self::Text(""))
    }

    /// The value as text. `None` without a value, and for texts with half a surrogate pair.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            Self::Number(text) | Self::Clean(text) | Self::Text(text) | Self::Tree(text) => Some(Cow::Borrowed(text)),
            Self::Escaped(raw) => {
                let mut text = String::with_capacity(raw.len());
                unescape(raw, &mut text).map(|()| Cow::Owned(text))
            }
        }
    }
}
