//! Texts with holes: `state:{state}`, `{window.start:%Y-%m-%d}`, `{+path}`; `{{` is a brace.

/// A text has at most this many holes.
const MAX_HOLES: usize = 100;

/// A text cut into what stands and what is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Hole(Hole),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    pub name: String,
    /// What stands behind a colon.
    pub format: Option<String>,
    /// `{+name}`: put in as it is, not encoded.
    pub raw: bool,
}

impl Template {
    /// Cuts a text. The error says which brace is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, behind) = (&rest[at..=at], &rest[at + 1..]);
            if behind.starts_with(brace) {
                plain.push_str(brace);
                rest = &behind[1..];
                continue;
            }
            if brace == "}" {
                return Err("a } without {; write }} for the character itself".into());
            }
            let end = behind.find('}').ok_or("a { is not closed; write {{ for the character itself")?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Hole(Hole::parse(&behind[..end])?));
            rest = &behind[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        if parts.len() > 2 * MAX_HOLES {
            return Err(format!("more than {MAX_HOLES} names in braces"));
        }
        Ok(Self { parts })
    }

    pub fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(hole),
            Part::Text(_) => None,
        })
    }

    /// The only hole, where the text is nothing but one.
    pub fn only_hole(&self) -> Option<&Hole> {
        match self.parts.as_slice() {
            [Part::Hole(hole)] => Some(hole),
            _ => None,
        }
    }
}

impl Hole {
    fn parse(inner: &str) -> Result<Self, String> {
        let (raw, inner) = match inner.strip_prefix('+') {
            Some(inner) => (true, inner),
            None => (false, inner),
        };
        let (name, format) = match inner.split_once(':') {
            Some((name, format)) => (name, Some(format.to_owned())),
            None => (inner, None),
        };
        let name = name.trim();
        if name.is_empty() || name.contains('{') {
            return Err(format!("{{{inner}}} names nothing; write {{{{ for the character itself"));
        }
        Ok(Self { name: name.to_owned(), format, raw })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(text: &str) -> String {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => return error,
        };
        let part = |part: &Part| match part {
            Part::Text(fixed) => format!("<{fixed}>"),
            Part::Hole(hole) => format!("[{}|{:?}|{}]", hole.name, hole.format, hole.raw),
        };
        template.parts.iter().map(part).collect()
    }

    #[test]
    fn cuts_texts() {
        assert_eq!(show("state:{state}"), "<state:>[state|None|false]");
        assert_eq!(show("{window.start:%Y-%m}{+p}"), "[window.start|Some(\"%Y-%m\")|false][p|None|true]");
        assert_eq!(show("a{{b}}c"), "<a{b}c>");
        assert_eq!(show(""), "");
        assert_eq!(show("{a"), "a { is not closed; write {{ for the character itself");
        assert_eq!(show("a}"), "a } without {; write }} for the character itself");
        assert_eq!(show("{}"), "{} names nothing; write {{ for the character itself");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_or_refused(text in any::<String>()) {
            let _ = Template::parse(&text);
        }

        #[test]
        fn a_text_with_doubled_braces_stands_for_itself(text in any::<String>()) {
            let doubled = text.replace('{', "{{").replace('}', "}}");
            let template = Template::parse(&doubled).unwrap();
            prop_assert!(template.holes().next().is_none());
            let whole: String = template.parts.iter().map(|part| match part {
                Part::Text(fixed) => fixed.as_str(),
                Part::Hole(_) => "",
            }).collect();
            prop_assert_eq!(whole, text);
        }
    }
}
