//! Filling a page from rows in the order of a number. A list that is filtered looks at a bounded number of rows for
//! one page: then the page may be short, or empty, and still have a `next`.

use super::error::StoreError;
use crate::protocol::paging::{Page, PageRequest, cursor_of};

/// Rows that one page looks at, at most.
const MAX_LOOKED_AT: usize = 50_000;
/// Rows fetched at a time where not all of them will be wanted.
const CHUNK: usize = 1_000;

#[derive(Debug)]
pub(super) struct Pager<T> {
    limit: usize,
    filtered: bool,
    /// The number of the last row looked at; the page before it ended there.
    position: i64,
    looked_at: usize,
    ended: bool,
    items: Vec<(i64, T)>,
}

impl<T> Pager<T> {
    /// `start` is the position before the first row of all.
    pub(super) fn new(page: &PageRequest, start: i64, filtered: bool) -> Result<Self, StoreError> {
        let limit = page.limit()? as usize;
        let position = page.position()?.unwrap_or(start);
        Ok(Self { limit, filtered, position, looked_at: 0, ended: false, items: Vec::new() })
    }

    /// How many rows beyond `position` to fetch next; `None` when the page is done.
    pub(super) fn next_chunk(&self) -> Option<i64> {
        (self.goes_on() && !self.ended).then(|| self.chunk() as i64)
    }

    /// Neither is the page full, nor has it looked at as many rows as it may.
    pub(super) fn goes_on(&self) -> bool {
        !self.is_full() && self.looked_at < MAX_LOOKED_AT
    }

    fn chunk(&self) -> usize {
        if self.filtered { CHUNK.max(self.limit + 1) } else { self.limit + 1 }
    }

    /// One item beyond the page is known: there is more.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() > self.limit
    }

    /// Items that can still be used.
    pub(super) fn room(&self) -> usize {
        (self.limit + 1).saturating_sub(self.items.len())
    }

    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// Says how many rows the last fetch gave; fewer than asked for means that there are no more.
    pub(super) fn got(&mut self, rows: usize) {
        if rows < self.chunk() {
            self.ended = true;
        }
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Goes past the row at `position`, which may be an item of the page.
    pub(super) fn pass(&mut self, position: i64, item: Option<T>) {
        if self.is_full() {
            return;
        }
        self.position = position;
        self.looked_at += 1;
        if let Some(item) = item {
            self.items.push((position, item));
        }
    }

    pub(super) fn finish(mut self) -> Page<T> {
        let next = if self.is_full() {
            self.items.truncate(self.limit);
            self.items.last().map(|(position, _)| cursor_of(*position))
        } else if self.ended {
            None
        } else {
            Some(cursor_of(self.position))
        };
        Page { items: self.items.into_iter().map(|(_, item)| item).collect(), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages through `0..total`, keeping what `wanted` says; gives all items and the number of pages.
    fn walk(total: i64, limit: u32, wanted: fn(i64) -> bool) -> (Vec<i64>, usize) {
        let (mut all, mut pages, mut cursor) = (Vec::new(), 0, None);
        loop {
            let request = PageRequest { limit: Some(limit), cursor: cursor.take() };
            let mut pager = Pager::new(&request, -1, true).unwrap();
            while let Some(chunk) = pager.next_chunk() {
                let rows: Vec<i64> = (pager.position() + 1..total).take(chunk as usize).collect();
                pager.got(rows.len());
                for row in rows {
                    pager.pass(row, wanted(row).then_some(row));
                }
            }
            let page = pager.finish();
            assert!(page.items.len() <= limit as usize);
            all.extend(page.items);
            pages += 1;
            cursor = page.next;
            if cursor.is_none() {
                return (all, pages);
            }
        }
    }

    #[test]
    fn pages_leave_nothing_out_and_repeat_nothing() {
        let (all, pages) = walk(2_500, 100, |_| true);
        assert_eq!((all, pages), ((0..2_500).collect(), 25));
    }

    #[test]
    fn a_rare_item_is_found_in_bounded_steps() {
        let (all, pages) = walk(200_000, 10, |row| row == 150_001);
        assert_eq!(all, [150_001]);
        assert!((4..=5).contains(&pages), "{pages} pages");
    }
}
