//! From page to page: which one is next, and when there is none. Pure; knows no client.

use url::Url;

use super::request::append_query;
use crate::profiles::plan::{OffsetStep, Paging, PagingKind, Scalar, Until};

/// A query parameter, or a place in the body where the name is a JSON Pointer.
pub type Param = (String, Scalar);

/// What a page told.
#[derive(Debug, Default, Clone)]
pub struct PageFacts {
    /// Elements of the outermost list of rows, before any was dropped.
    pub rows: u64,
    /// The same, or the rows inside them where those are more: what tells a short page.
    pub most: u64,
    /// The next URL or token of the body.
    pub next: Option<String>,
    /// The target of the `Link` header.
    pub link: Option<String>,
    pub total: Option<u64>,
    pub last_page: Option<u64>,
    /// The profile's condition for the end holds.
    pub at_end: bool,
    /// The profile names an end test: a total, a last page.
    pub has_total: bool,
    pub has_last_page: bool,
}

/// The next request.
#[derive(Debug, Clone, PartialEq)]
pub enum NextPage {
    /// The same request with these query parameters.
    Params(Vec<Param>),
    /// This link, as the answer writes it.
    Link(String),
    /// The first request's URL with these query parameters put in.
    Fragment(String),
    /// What the answer gives is none of these.
    Wrong(String),
}

/// Where the run stands in a list of pages.
#[derive(Debug)]
pub struct Pager<'p> {
    paging: Option<&'p Paging>,
    page: u64,
    offset: u64,
    rows: u64,
}

impl<'p> Pager<'p> {
    pub fn new(paging: Option<&'p Paging>) -> Self {
        let (page, offset) = match paging.map(|paging| &paging.kind) {
            Some(PagingKind::Page { first, .. }) => (*first, 0),
            Some(PagingKind::Offset { first, .. }) => (1, *first),
            _ => (1, 0),
        };
        Self { paging, page, offset, rows: 0 }
    }

    /// The query parameters of the first page.
    pub fn first(&self) -> Vec<Param> {
        match self.paging.map(|paging| &paging.kind) {
            Some(PagingKind::Token { param, start: Some(start) }) => {
                self.with_size(Some((param, Scalar::Text(start.clone()))))
            }
            Some(PagingKind::Page { param, .. }) => self.with_size(Some((param, whole(self.page)))),
            Some(PagingKind::Offset { param, .. }) => self.with_size(Some((param, whole(self.offset)))),
            _ => self.with_size(None),
        }
    }

    fn with_size(&self, place: Option<(&String, Scalar)>) -> Vec<Param> {
        let size = match self.paging.and_then(|paging| paging.size.as_ref()) {
            Some((Some(param), size)) => Some((param.clone(), whole(*size))),
            _ => None,
        };
        size.into_iter().chain(place.map(|(param, value)| (param.clone(), value))).collect()
    }

    fn size(&self) -> Option<u64> {
        self.paging.and_then(|paging| paging.size.as_ref()).map(|(_, size)| *size)
    }

    /// Goes on behind a page. `None`: it was the last.
    pub fn advance(&mut self, facts: &PageFacts, until: &[Until]) -> Option<NextPage> {
        let paging = self.paging?;
        self.rows = self.rows.saturating_add(facts.rows);
        if self.is_last(facts, until, &paging.kind) {
            return None;
        }
        match &paging.kind {
            PagingKind::Page { param, .. } => {
                self.page = self.page.checked_add(1)?;
                Some(NextPage::Params(self.with_size(Some((param, whole(self.page))))))
            }
            PagingKind::Offset { param, step, .. } => {
                let step = match step {
                    OffsetStep::Size => self.size().unwrap_or(facts.rows),
                    OffsetStep::Received => facts.rows,
                };
                self.offset = self.offset.checked_add(step)?;
                Some(NextPage::Params(self.with_size(Some((param, whole(self.offset))))))
            }
            PagingKind::Token { param, .. } => {
                let token = facts.next.clone().filter(|token| !token.is_empty())?;
                Some(NextPage::Params(self.with_size(Some((param, Scalar::Text(token))))))
            }
            PagingKind::Keyset => {
                let next = facts.next.as_deref().filter(|next| !next.is_empty())?;
                let Some(members) = members(next) else { return Some(NextPage::Wrong(next.to_owned())) };
                if members.is_empty() {
                    return None;
                }
                Some(NextPage::Params(self.with_size(None).into_iter().chain(members).collect()))
            }
            PagingKind::Next => {
                let next = facts.next.clone().filter(|next| !next.is_empty())?;
                Some(if next.starts_with('&') { NextPage::Fragment(next) } else { NextPage::Link(next) })
            }
            PagingKind::Link => facts.link.clone().map(NextPage::Link),
        }
    }

    fn is_last(&self, facts: &PageFacts, until: &[Until], kind: &PagingKind) -> bool {
        let counted = matches!(kind, PagingKind::Page { .. } | PagingKind::Offset { .. });
        let short = self.size().is_some_and(|size| facts.most.max(facts.rows) < size);
        if facts.has_total && (facts.rows == 0 || facts.total.is_some_and(|total| self.rows >= total)) {
            return true;
        }
        if facts.has_last_page && facts.last_page.is_none_or(|last| self.page >= last) {
            return true;
        }
        let tested = facts.has_total || facts.has_last_page;
        if until.is_empty() {
            return counted && !tested && (short || facts.rows == 0);
        }
        until.iter().any(|end| match end {
            Until::Condition(_) => facts.at_end,
            Until::Short => short,
            Until::Empty => facts.rows == 0,
        })
    }
}

fn whole(number: u64) -> Scalar {
    i64::try_from(number).map_or_else(|_| Scalar::Text(number.to_string()), Scalar::Integer)
}

/// The members of a JSON object as parameters; those without a value are left out. `None`: it is none.
fn members(text: &str) -> Option<Vec<Param>> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let param = |(name, value): (String, serde_json::Value)| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(plain) => Some((name, Scalar::Text(plain))),
        serde_json::Value::Number(number) => {
            Some((name, number.as_i64().map_or_else(|| Scalar::Text(number.to_string()), Scalar::Integer)))
        }
        other => Some((name, Scalar::Text(other.to_string()))),
    };
    Some(object.into_iter().filter_map(param).collect())
}

/// Puts the parameters of a query fragment (`&page=2`) into a URL, in place of those of the same name.
pub fn with_fragment(url: &Url, fragment: &str) -> Url {
    let given: Vec<(String, String)> =
        url::form_urlencoded::parse(fragment.trim_start_matches('&').as_bytes()).into_owned().collect();
    let query = url.query().unwrap_or("");
    let kept = query.split('&').filter(|pair| {
        let name = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned());
        !pair.is_empty() && !given.iter().any(|(own, _)| Some(own) == name.as_ref())
    });
    let kept = kept.collect::<Vec<_>>().join("&");
    let mut url = url.clone();
    url.set_query((!kept.is_empty()).then_some(kept.as_str()));
    append_query(&mut url, &given);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(next: Option<NextPage>) -> String {
        match next {
            Some(NextPage::Params(params)) => {
                params.iter().map(|(name, value)| format!("{name}={}", value.text())).collect::<Vec<_>>().join("&")
            }
            Some(other) => format!("{other:?}"),
            None => "end".into(),
        }
    }

    fn rows(rows: u64) -> PageFacts {
        PageFacts { rows, ..PageFacts::default() }
    }

    #[test]
    fn pages_go_on_until_a_short_one() {
        let kind = PagingKind::Page { param: "page".into(), first: 1 };
        let paging = Paging { kind, size: Some((Some("n".into()), 3)) };
        let mut pager = Pager::new(Some(&paging));
        assert_eq!(params(Some(NextPage::Params(pager.first()))), "n=3&page=1");
        assert_eq!(params(pager.advance(&rows(3), &[])), "n=3&page=2");
        assert_eq!(params(pager.advance(&rows(2), &[])), "end");
    }

    #[test]
    fn totals_and_last_pages_end_where_they_say() {
        let kind = PagingKind::Offset { param: "skip".into(), first: 0, step: OffsetStep::Received };
        let paging = Paging { kind, size: None };
        let mut pager = Pager::new(Some(&paging));
        let facts = |rows| PageFacts { rows, total: Some(5), has_total: true, ..PageFacts::default() };
        assert_eq!(params(pager.advance(&facts(2), &[])), "skip=2");
        assert_eq!(params(pager.advance(&facts(1), &[])), "skip=3");
        assert_eq!(params(pager.advance(&facts(2), &[])), "end");
    }

    #[test]
    fn the_last_page_is_known_by_its_number() {
        let kind = PagingKind::Page { param: "p".into(), first: 0 };
        let paging = Paging { kind, size: None };
        let mut pager = Pager::new(Some(&paging));
        let facts = PageFacts { rows: 9, last_page: Some(1), has_last_page: true, ..PageFacts::default() };
        assert_eq!(params(pager.advance(&facts, &[])), "p=1");
        assert_eq!(params(pager.advance(&facts, &[])), "end");
    }

    #[test]
    fn any_of_several_ends_is_the_end() {
        let paging = Paging { kind: PagingKind::Page { param: "p".into(), first: 1 }, size: Some((None, 3)) };
        let mut pager = Pager::new(Some(&paging));
        let ends = [Until::Empty, Until::Short];
        assert_eq!(params(pager.advance(&rows(3), &ends)), "p=2");
        assert_eq!(params(pager.advance(&rows(2), &ends)), "end");
        assert_eq!(params(pager.advance(&rows(2), &ends[..1])), "p=3");
        assert_eq!(params(pager.advance(&rows(0), &ends[..1])), "end");
    }

    #[test]
    fn links_end_when_there_is_none_and_endless_ones_at_an_empty_page() {
        let paging = Paging { kind: PagingKind::Next, size: None };
        let mut pager = Pager::new(Some(&paging));
        let facts = |rows, next: &str| PageFacts { rows, next: Some(next.into()), ..PageFacts::default() };
        assert_eq!(pager.advance(&facts(2, "/x?p=2"), &[Until::Empty]), Some(NextPage::Link("/x?p=2".into())));
        assert_eq!(pager.advance(&facts(2, "&p=3"), &[]), Some(NextPage::Fragment("&p=3".into())));
        assert_eq!(pager.advance(&facts(0, "/x?p=9"), &[Until::Empty]), None);
        assert_eq!(pager.advance(&rows(2), &[]), None);
    }

    #[test]
    fn every_member_of_a_keyset_becomes_a_parameter() {
        let paging = Paging { kind: PagingKind::Keyset, size: Some((Some("n".into()), 2)) };
        let mut pager = Pager::new(Some(&paging));
        let facts = |next: &str| PageFacts { rows: 2, next: Some(next.into()), ..PageFacts::default() };
        assert_eq!(
            params(pager.advance(&facts(r#"{"after_id":7,"after":"a b","x":null}"#), &[])),
            "n=2&after=a b&after_id=7"
        );
        assert_eq!(params(pager.advance(&facts("{}"), &[])), "end");
        assert_eq!(pager.advance(&facts("7"), &[]), Some(NextPage::Wrong("7".into())));
        assert_eq!(params(pager.advance(&rows(2), &[])), "end");
    }

    #[test]
    fn a_fragment_takes_the_place_of_its_parameters() {
        let url = Url::parse("https://a/x?f=1&page%5Bnumber%5D=1&page%5Bsize%5D=3").unwrap();
        let next = with_fragment(&url, "&page%5Bnumber%5D=2&page%5Bsize%5D=3");
        assert_eq!(next.as_str(), "https://a/x?f=1&page%5Bnumber%5D=2&page%5Bsize%5D=3");
    }
}
