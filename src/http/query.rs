//! Query parameters, checked: an unknown name is refused with the nearest right one, a name given twice is refused,
//! and a value that cannot be read is named with what was expected.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use crate::domain::moment::{MOMENT, moment_ms};
use actix_web::HttpRequest;
use url::form_urlencoded;

use crate::protocol::fault::{Code, Fault};
use crate::protocol::paging::PageRequest;

/// The most parameters of one request.
const MAX_PARAMETERS: usize = 32;
/// Stands in a list of known names for any `dims.x.y`.
pub const ANY_DIM: &str = "dims.*";

/// The parameters of one request.
#[derive(Debug)]
pub struct Params<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Params<'a> {
    /// Reads the query of `request`, which may name only what is in `known`.
    pub fn of(request: &'a HttpRequest, known: &[&str]) -> Result<Self, Fault> {
        Self::read(request.query_string(), known)
    }

    fn read(query: &'a str, known: &[&str]) -> Result<Self, Fault> {
        check_escapes(query)?;
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).take(MAX_PARAMETERS + 1).collect();
        if pairs.len() > MAX_PARAMETERS {
            return Err(Fault::new(Code::InvalidRequest, format!("more than {MAX_PARAMETERS} query parameters")));
        }
        for (index, (name, value)) in pairs.iter().enumerate() {
            check_name(name, known)?;
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Fault::invalid(name, format!("{name} is given twice; expected once")));
            }
            if value.contains('\u{fffd}') {
                return Err(Fault::invalid(name, format!("{name} is not UTF-8")));
            }
        }
        Ok(Self { pairs })
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }

    /// The value read as a `T`; the error says what `T`'s own parser expected.
    pub fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Fault> {
        let read =
            |text: &str| text.parse().map_err(|error| Fault::invalid(name, format!("{name} is {text:?}: {error}")));
        self.text(name).map(read).transpose()
    }

    /// The value as one of a closed set, which `read` knows and `expected` lists.
    pub fn choice<T>(&self, name: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let unknown = || Fault::invalid(name, format!("{name} is {text:?}; expected {expected}"));
        read(text).map(Some).ok_or_else(unknown)
    }

    /// A moment as Unix milliseconds: given as such, as a day, or as RFC 3339.
    pub fn moment_ms(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.choice(name, MOMENT, moment_ms)
    }

    /// `limit` and `cursor`.
    pub fn page(&self) -> Result<PageRequest, Fault> {
        let page = PageRequest { limit: self.parse("limit")?, cursor: self.text("cursor").map(str::to_owned) };
        page.limit()?;
        Ok(page)
    }

    /// Every `dims.x.y=value`.
    pub fn dims(&self) -> Vec<(String, String)> {
        let dims = self.pairs.iter().filter(|(name, _)| is_dim(name));
        dims.map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    /// The same query with another cursor.
    pub fn with_cursor(&self, cursor: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs.iter().filter(|(name, _)| name != "cursor"));
        query.append_pair("cursor", cursor).finish()
    }
}

fn is_dim(name: &str) -> bool {
    name.strip_prefix("dims.").is_some_and(|path| path.split('.').all(|member| !member.is_empty()))
}

fn check_name(name: &str, known: &[&str]) -> Result<(), Fault> {
    if known.contains(&name) || (known.contains(&ANY_DIM) && is_dim(name)) {
        return Ok(());
    }
    let shown: String = name.chars().take(60).collect();
    let nearest = known.iter().filter(|right| strsim::levenshtein(right, &shown) <= 2);
    let nearest = nearest.min_by_key(|right| strsim::levenshtein(right, &shown));
    let mend = match (nearest, known) {
        (Some(right), _) => format!("did you mean {right}?"),
        (None, []) => "this route takes none".to_owned(),
        (None, _) => format!("expected some of {}", known.join(", ")),
    };
    Err(Fault::invalid(&shown, format!("unknown query parameter {shown:?}; {mend}")))
}

/// A `%` must be followed by two hex digits; the parser would let anything pass.
fn check_escapes(query: &str) -> Result<(), Fault> {
    let whole = |part: &str| part.len() >= 2 && part.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit);
    if query.split('%').skip(1).all(whole) {
        return Ok(());
    }
    Err(Fault::invalid("query", "the query holds a % that is not followed by two hex digits; write % itself as %25"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["limit", "cursor", "profile_id", "since", ANY_DIM];

    fn detail(query: &str) -> String {
        Params::read(query, KNOWN).err().map_or_else(|| "taken".into(), |fault| fault.detail)
    }

    #[test]
    fn a_wrong_name_is_told_the_right_one() {
        assert_eq!(detail("profileid=a"), "unknown query parameter \"profileid\"; did you mean profile_id?");
        assert!(detail("colour=red").contains("expected some of limit"));
        assert!(detail("dims.=x").starts_with("unknown"));
        assert!(detail("limit=1&limit=2").contains("twice"));
        assert!(detail("limit=%zz").contains('%'));
        assert!(detail("cursor=%ff").contains("UTF-8"));
        assert!(detail(&"dims.a=1&".repeat(40)).contains("more than 32"));
        assert_eq!(detail("limit=5&dims.geo.state=CA"), "taken");
    }

    #[test]
    fn values_are_typed() {
        let params = Params::read("limit=7&since=2026-01-01T00:00:00Z&dims.geo.name=New%20York", KNOWN).unwrap();
        assert_eq!(params.page().unwrap().limit, Some(7));
        assert_eq!(params.moment_ms("since").unwrap(), Some(1_767_225_600_000));
        assert_eq!(params.dims(), [("dims.geo.name".to_owned(), "New York".to_owned())]);
        for bad in ["limit=0", "limit=many", "limit=5001", "limit=-1"] {
            let fault = Params::read(bad, KNOWN).unwrap().page().unwrap_err();
            assert_eq!(fault.places[0].at, "limit", "{bad}");
        }
        for bad in ["since=yesterday", "since=9223372036854775807"] {
            assert!(Params::read(bad, KNOWN).unwrap().moment_ms("since").is_err(), "{bad}");
        }
    }

    #[test]
    fn the_next_page_keeps_the_filters() {
        let params = Params::read("dims.a=x%26y&cursor=c1&limit=2", KNOWN).unwrap();
        assert_eq!(params.with_cursor("c9"), "dims.a=x%26y&limit=2&cursor=c9");
    }
}
