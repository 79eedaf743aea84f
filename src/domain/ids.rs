//! Names that come from outside, checked once at the door. They end up in URLs, file names, logs and
//! metric labels, so their alphabet is small.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// Why a text is not an id, with what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    #[error("{kind} is empty; expected 1 to {max_chars} characters")]
    Empty { kind: &'static str, max_chars: usize },
    #[error("{kind} has {found} characters; at most {max_chars} are allowed")]
    TooLong { kind: &'static str, max_chars: usize, found: usize },
    #[error("{kind} {value:?} holds {found:?} at position {position}; allowed are {allowed}")]
    BadCharacter { kind: &'static str, value: String, found: char, position: usize, allowed: &'static str },
    #[error("{kind} {value:?} must begin with a letter or a digit")]
    BadStart { kind: &'static str, value: String },
    #[error("{kind} {value:?} is a word of the API; choose another")]
    Reserved { kind: &'static str, value: String },
}

/// What one kind of id accepts.
struct Rule {
    kind: &'static str,
    max_chars: usize,
    allowed: &'static str,
    accepts: fn(char) -> bool,
}

fn check(text: &str, rule: &Rule) -> Result<(), IdError> {
    let Rule { kind, max_chars, allowed, accepts } = *rule;
    let found = text.chars().count();
    if found == 0 {
        return Err(IdError::Empty { kind, max_chars });
    }
    if found > max_chars {
        return Err(IdError::TooLong { kind, max_chars, found });
    }
    if let Some((index, wrong)) = text.chars().enumerate().find(|(_, c)| !accepts(*c)) {
        return Err(IdError::BadCharacter { kind, value: text.to_owned(), found: wrong, position: index + 1, allowed });
    }
    Ok(())
}

/// Ids that a route of the API would hide.
const RESERVED: [&str; 1] = ["schema"];

fn is_free(text: &str, kind: &'static str) -> Result<(), IdError> {
    if RESERVED.contains(&text) {
        return Err(IdError::Reserved { kind, value: text.to_owned() });
    }
    Ok(())
}

fn begins_well(text: &str, kind: &'static str) -> Result<(), IdError> {
    if text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(IdError::BadStart { kind, value: text.to_owned() })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $rule:expr, $start:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the text. Errors say which character is wrong, where, and what is allowed.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let rule: Rule = $rule;
                check(text, &rule)?;
                if $start {
                    begins_well(text, rule.kind)?;
                    is_free(text, rule.kind)?;
                }
                Ok(Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(source)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn host_word(c: char) -> bool {
    word(c) || c == '.'
}

fn printable(c: char) -> bool {
    !c.is_control() && c != '\u{feff}'
}

id!(
    /// Who owns a row. `default` unless said otherwise. 1 to 63 of `a-z A-Z 0-9 - _`.
    TenantId,
    Rule { kind: "tenant", max_chars: 63, allowed: "letters, digits, - and _", accepts: word },
    true
);
id!(
    /// One source. 1 to 100 of `a-z A-Z 0-9 - _`: it is a file name and a URL segment.
    ProfileId,
    Rule { kind: "profile id", max_chars: 100, allowed: "letters, digits, - and _", accepts: word },
    true
);
id!(
    /// One drone. 1 to 100 of `a-z A-Z 0-9 - _ .`, so that a host name serves as one.
    DroneId,
    Rule { kind: "drone id", max_chars: 100, allowed: "letters, digits, -, _ and .", accepts: host_word },
    true
);
id!(
    /// One execution of a profile. A UUID v7 where we make it; any short text from elsewhere.
    RunId,
    Rule { kind: "run id", max_chars: 128, allowed: "printable characters", accepts: printable },
    false
);

impl Default for TenantId {
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_what_would_escape_a_path_or_a_label() {
        for bad in ["", "a/b", "../etc", "a.b", "ä", "a b", "-a", "schema", &"x".repeat(101)] {
            assert!(ProfileId::parse(bad).is_err(), "{bad:?} was accepted");
        }
        for bad in [".", "..", ".hidden", "a/b"] {
            assert!(DroneId::parse(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(RunId::parse("run\n1").is_err());
    }

    #[test]
    fn ids_accept_what_people_use() {
        for good in ["census-population", "X9_y", "0"] {
            assert_eq!(ProfileId::parse(good).unwrap().as_str(), good);
        }
        assert!(DroneId::parse("edge-1.plant.example").is_ok());
        assert!(RunId::parse("r1").is_ok());
    }

    #[test]
    fn an_error_names_place_and_alphabet() {
        let text = ProfileId::parse("census/pop").unwrap_err().to_string();
        assert_eq!(text, "profile id \"census/pop\" holds '/' at position 7; allowed are letters, digits, - and _");
    }
}
