//! Paging by cursor: a list answers one page and, while there is more, a cursor for the next. A cursor is opaque
//! to the caller, and the cost of a page does not depend on how far in it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::{Code, Fault};

pub const DEFAULT_LIMIT: u32 = 100;
pub const MAX_LIMIT: u32 = 5_000;

/// Which page is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// At most this many items; 100 unless said, 5,000 at most.
    pub limit: Option<u32>,
    /// From the previous page's `next`.
    pub cursor: Option<String>,
}

impl PageRequest {
    /// The limit in force. Asking for more than the most is refused, never silently cut.
    pub fn limit(&self) -> Result<u32, Fault> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT),
            Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            Some(limit) => {
                Err(Fault::new(Code::InvalidRequest, format!("limit is {limit}; expected 1 to {MAX_LIMIT}"))
                    .at("limit"))
            }
        }
    }

    /// The cursor as the number it holds, if there is one.
    pub fn position(&self) -> Result<Option<i64>, Fault> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let position = cursor.strip_prefix('c').and_then(|digits| i64::from_str_radix(digits, 36).ok());
        position.map(Some).ok_or_else(|| {
            Fault::new(Code::InvalidRequest, "cursor is not one that this service gave; take `next` of the last page")
                .at("cursor")
        })
    }

    /// The cursor as text, for lists ordered by name.
    pub fn name(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
}

/// The cursor that stands for `position`, which is never negative.
pub fn cursor_of(position: i64) -> String {
    let mut digits = Vec::new();
    let mut rest = position.unsigned_abs();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize]);
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    digits.reverse();
    format!("c{}", String::from_utf8_lossy(&digits))
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Cursor of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of rows fetched with one more than `limit`: the extra one only tells that there is more.
    pub fn cut(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_went() {
        for position in [0, 1, 35, 36, 1_000_000, i64::MAX] {
            let page = PageRequest { limit: None, cursor: Some(cursor_of(position)) };
            assert_eq!(page.position().unwrap(), Some(position));
        }
    }

    #[test]
    fn a_foreign_cursor_and_a_large_limit_are_refused() {
        let page = PageRequest { limit: Some(5_001), cursor: Some("42; drop table".into()) };
        assert_eq!(page.limit().unwrap_err().code, Code::InvalidRequest);
        assert_eq!(page.position().unwrap_err().code, Code::InvalidRequest);
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = Page::cut(vec![1, 2, 3], 2, |item| cursor_of(*item));
        assert_eq!((page.items, page.next), (vec![1, 2], Some("c2".into())));
        assert_eq!(Page::cut(vec![1, 2], 2, |item| cursor_of(*item)).next, None);
    }
}
