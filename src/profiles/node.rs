//! A profile's text as a tree of placed nodes, and the means to read it without stopping at the first problem.

use super::problem::Problem;

/// Line and column, counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

impl Place {
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

/// One member of a map; its place is the key's.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub place: Place,
    pub key: String,
    pub node: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

impl Value {
    /// The kind in a reader's words.
    pub fn kind(&self) -> String {
        match self {
            Self::Null => "nothing".into(),
            Self::Bool(value) => format!("{value}"),
            Self::Integer(value) => format!("the number {value}"),
            Self::Decimal(value) => format!("the number {value}"),
            Self::Text(text) => format!("the text {:?}", short(text)),
            Self::List(_) => "a list".into(),
            Self::Map(_) => "a map".into(),
        }
    }
}

fn short(text: &str) -> String {
    let mut cut: String = text.chars().take(40).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// What can be read from a node. Problems are noted and `None` is given back, so that reading goes on.
pub trait Read: Sized {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self>;
}

/// A value that remembers where it stood.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    pub value: T,
    pub place: Place,
}

impl<T: Read> Read for At<T> {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        T::read(node, problems).map(|value| Self { value, place: node.place })
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

/// Notes that `node` is not what was expected.
pub fn mismatch(node: &Node, expected: &str, problems: &mut Vec<Problem>) {
    problems.push(Problem::new(node.place, format!("expected {expected}, found {}", node.value.kind())));
}

impl Read for String {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Decimal(_) => {
                let message = format!("expected text, found {}", node.value.kind());
                problems.push(Problem::new(node.place, message).hint("put it in quotes to keep it as it is written"));
                None
            }
            _ => {
                mismatch(node, "text", problems);
                None
            }
        }
    }
}

impl Read for bool {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        mismatch(node, "true or false", problems);
        None
    }
}

impl Read for u64 {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match node.value {
            Value::Integer(number) if number >= 0 => Some(number.unsigned_abs()),
            _ => {
                mismatch(node, "a whole number from 0 on", problems);
                None
            }
        }
    }
}

impl Read for i64 {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        if let Value::Integer(number) = node.value {
            return Some(number);
        }
        mismatch(node, "a whole number", problems);
        None
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            mismatch(node, "a list", problems);
            return None;
        };
        Some(items.iter().filter_map(|item| T::read(item, problems)).collect())
    }
}

/// A map with free keys, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Entries<T>(pub Vec<(At<String>, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Read> Read for Entries<T> {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        let Value::Map(members) = &node.value else {
            mismatch(node, "a map", problems);
            return None;
        };
        let mut entry = |member: &Member| {
            let key = At { value: member.key.clone(), place: member.place };
            T::read(&member.node, problems).map(|value| (key, value))
        };
        Some(Self(members.iter().filter_map(&mut entry).collect()))
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Map_of_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let inner = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": inner })
    }
}

/// Declares a map with fixed keys: the struct, its JSON Schema from the doc comments, and a reader that notes
/// every unknown key with the nearest right word and goes on.
macro_rules! document {
    ($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* $field:ident $(as $key:literal)? : $kind:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* $(#[schemars(rename = $key)])? pub $field: Option<$kind>,)+
        }

        impl $name {
            const KEYS: &'static [&'static str] = &[$($crate::profiles::node::key_of!($field $($key)?)),+];
        }

        impl $crate::profiles::node::Read for $name {
            fn read(
                node: &$crate::profiles::node::Node,
                problems: &mut Vec<$crate::profiles::problem::Problem>,
            ) -> Option<Self> {
                let members = $crate::profiles::node::members(node, Self::KEYS, problems)?;
                Some(Self {
                    $($field: $crate::profiles::node::field(
                        members, $crate::profiles::node::key_of!($field $($key)?), problems),)+
                })
            }
        }
    };
}

macro_rules! key_of {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(crate) use {document, key_of};

/// The members of a map with fixed keys; notes unknown ones.
pub fn members<'n>(node: &'n Node, keys: &[&str], problems: &mut Vec<Problem>) -> Option<&'n [Member]> {
    let Value::Map(members) = &node.value else {
        mismatch(node, &format!("a map with {}", list(keys)), problems);
        return None;
    };
    for member in members {
        if !keys.contains(&member.key.as_str()) {
            problems.push(unknown(member, keys));
        }
    }
    Some(members)
}

/// Reads one member; an absent one and one without a value are `None`.
pub fn field<T: Read>(members: &[Member], key: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let member = members.iter().find(|member| member.key == key)?;
    if member.node.value == Value::Null {
        return None;
    }
    T::read(&member.node, problems)
}

/// Words that people look for, and why there are none.
const LEFT_OUT: [(&str, &str); 3] = [
    ("keep_empty", "a record has at least one measure, so a row without any gives none; it is counted as dropped"),
    (
        "jq",
        "a profile holds no program; take the rows by each, entries, unpivot or pivot, values by from and its steps",
    ),
    ("xpath", "an XML answer is read as a tree; its paths are those of JSON"),
];

fn unknown(member: &Member, keys: &[&str]) -> Problem {
    let problem = Problem::new(member.place, format!("unknown key {:?}", short(&member.key)));
    if let Some((_, why)) = LEFT_OUT.iter().find(|(word, _)| *word == member.key) {
        return problem.hint(*why);
    }
    match super::nearest::nearest(&member.key, keys) {
        Some(word) => problem.hint(format!("did you mean {word:?}?")),
        None => problem.hint(format!("allowed here: {}", list(keys))),
    }
}

/// `a, b or c`.
pub fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Declares a closed set of words.
macro_rules! words {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[$word_doc:meta])* $variant:ident $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, schemars::JsonSchema)]
        pub enum $name {
            $($(#[$word_doc])* #[schemars(rename = $word)] $variant,)+
        }

        impl $name {
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl $crate::profiles::node::Read for $name {
            fn read(
                node: &$crate::profiles::node::Node,
                problems: &mut Vec<$crate::profiles::problem::Problem>,
            ) -> Option<Self> {
                $crate::profiles::node::word(node, Self::WORDS, problems).and_then(Self::from_word)
            }
        }
    };
}

pub(crate) use words;

/// Reads one of `words`, or notes which are allowed and which is nearest.
pub fn word<'n>(node: &'n Node, words: &[&str], problems: &mut Vec<Problem>) -> Option<&'n str> {
    let Value::Text(text) = &node.value else {
        mismatch(node, &list(words), problems);
        return None;
    };
    if words.contains(&text.as_str()) {
        return Some(text);
    }
    let problem = Problem::new(node.place, format!("expected {}, found {:?}", list(words), short(text)));
    problems.push(match super::nearest::nearest(text, words) {
        Some(nearest) => problem.hint(format!("did you mean {nearest:?}?")),
        None => problem,
    });
    None
}
