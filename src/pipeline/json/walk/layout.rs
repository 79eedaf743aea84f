//! Rows of one list are most often written alike: the same members in the same order with the same white space. What
//! stands between the values of a row is remembered; a row that repeats it is read by comparing bytes instead of names.
//! A row that does not is read again in the ordinary way, which is the only one that judges.

use super::cell;
use crate::pipeline::json::cell::Cell;
use crate::pipeline::json::scan::{Scanner, Token};
use crate::profiles::plan::{ShapeNode, Slot};

/// Values of one row that are remembered. Longer rows are read in the ordinary way.
const MAX_VALUES: usize = 256;
/// Rows in vain that are forgiven, and how many of those a row that repeats the last one earns at most.
const FIRST_CREDIT: u8 = 8;
const MAX_CREDIT: u8 = 64;

/// How the last row was written.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    values: Vec<Place<'a>>,
    /// What stands behind the last value.
    tail: &'a str,
    state: State,
    /// Where the row, or the last value, ended.
    from: usize,
    /// Trying costs time: rows that are all different are soon not tried any more.
    credit: u8,
    #[cfg(test)]
    pub(super) repeated: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is remembered.
    Unknown,
    /// A row is being read.
    Learning,
    Known,
}

/// A value of the row.
#[derive(Debug)]
struct Place<'a> {
    /// What stands before it.
    before: &'a str,
    /// Where it is kept.
    slot: Option<Slot>,
    /// Something inside it is wanted, should it be a container.
    opens: bool,
}

impl<'a> Layout<'a> {
    pub(super) fn new() -> Self {
        Self {
            values: Vec::new(),
            tail: "",
            state: State::Unknown,
            from: 0,
            credit: FIRST_CREDIT,
            #[cfg(test)]
            repeated: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn give_up(&mut self) {
        self.credit = 0;
    }

    #[cfg(test)]
    pub(super) fn has_given_up(&self) -> bool {
        self.credit == 0
    }

    /// An element begins here.
    pub(super) fn begin(&mut self, offset: usize) {
        if self.credit == 0 {
            return;
        }
        self.values.clear();
        self.from = offset;
        self.state = State::Learning;
    }

    /// A value was read, from `start` to where the scanner is; `node` is its place where it is wanted.
    pub(super) fn value(&mut self, scanner: &Scanner<'a>, start: usize, node: Option<&ShapeNode>) {
        if self.state != State::Learning {
            return;
        }
        if self.values.len() == MAX_VALUES {
            return self.forget();
        }
        let before = scanner.between(self.from, start);
        let (slot, opens) = node.map_or((None, false), |node| (node.slot, node.has_inside()));
        self.values.push(Place { before, slot, opens });
        self.from = scanner.offset();
    }

    /// The element has been read.
    pub(super) fn end(&mut self, scanner: &Scanner<'a>) {
        if self.state == State::Learning {
            self.tail = scanner.since(self.from);
            self.state = State::Known;
        }
    }

    /// The row holds something that cannot be repeated.
    pub(super) fn forget(&mut self) {
        self.state = State::Unknown;
    }

    /// Reads a row that is written as the last one was. `false`: it is not, and nothing was read.
    pub(super) fn repeats(&mut self, scanner: &mut Scanner<'a>, cells: &mut [Cell<'a>]) -> bool {
        if self.state != State::Known {
            return false;
        }
        let start = scanner.offset();
        if self.read(scanner, cells) {
            self.credit = (self.credit + 1).min(MAX_CREDIT);
            #[cfg(test)]
            {
                self.repeated += 1;
            }
            return true;
        }
        self.credit -= 1;
        self.forget();
        scanner.jump(start);
        for slot in self.values.iter().filter_map(|place| place.slot) {
            cells[usize::from(slot)] = Cell::Absent;
        }
        false
    }

    fn read(&self, scanner: &mut Scanner<'a>, cells: &mut [Cell<'a>]) -> bool {
        let mut values = self.values.iter();
        values.all(|place| scanner.pass(place.before) && place.read(scanner, cells)) && scanner.pass(self.tail)
    }
}

impl Place<'_> {
    fn read<'a>(&self, scanner: &mut Scanner<'a>, cells: &mut [Cell<'a>]) -> bool {
        let Ok(token) = scanner.value() else { return false };
        let value = match token {
            Token::Object | Token::Array if self.opens => return false,
            Token::Object | Token::Array => {
                let start = scanner.offset() - 1;
                if scanner.skip_rest(token == Token::Object).is_err() {
                    return false;
                }
                Cell::Tree(scanner.since(start))
            }
            scalar => cell(scalar),
        };
        if let Some(slot) = self.slot {
            cells[usize::from(slot)] = value;
        }
        true
    }
}
