//! Putting a batch's records: which are new, which were known, and the row of each. Where most are likely to be new
//! they are inserted at once, and only a chunk in which some were ignored is looked up; where most are likely to be
//! known they are looked up first, and the rest is inserted.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::texts::{FIND_KEYS, INSERT_RECORDS};
use crate::domain::batch::Records;
use crate::store::error::StoreError;

/// No row has this id.
const ABSENT: i64 = 0;

/// The records of one batch on their way in.
pub(super) struct Placing<'a> {
    records: &'a Records,
    /// Indices of the records, each key once.
    distinct: &'a [usize],
    profile: i64,
    /// The row of each distinct record, in their order.
    rows: Vec<i64>,
    inserted: usize,
}

/// Where they are.
pub(super) struct Placed {
    pub(super) rows: Vec<i64>,
    pub(super) inserted: usize,
}

impl<'a> Placing<'a> {
    pub(super) fn new(records: &'a Records, distinct: &'a [usize], profile: i64) -> Self {
        Self { records, distinct, profile, rows: vec![ABSENT; distinct.len()], inserted: 0 }
    }

    /// Puts what is new, as brought by `batch`.
    pub(super) async fn place(
        mut self,
        db: &mut SqliteConnection,
        batch: i64,
        look_first: bool,
    ) -> Result<Placed, StoreError> {
        let mut places: Vec<usize> = (0..self.distinct.len()).collect();
        if look_first {
            self.look_up(db, &places).await?;
            places.retain(|place| self.rows[*place] == ABSENT);
        }
        let mut rest = &places[..];
        while !rest.is_empty() {
            let (size, text) = INSERT_RECORDS.for_rows(rest.len());
            let (chunk, further) = rest.split_at(size);
            rest = further;
            let mut query = sqlx::query(text);
            for &place in chunk {
                let body = std::str::from_utf8(self.records.text(self.distinct[place]));
                let body = body.map_err(|error| StoreError::Engine(format!("a record is not UTF-8: {error}")))?;
                query = query.bind(self.profile).bind(self.key(place).to_vec()).bind(batch).bind(body);
            }
            let done = query.execute(&mut *db).await?;
            let taken = usize::try_from(done.rows_affected()).unwrap_or(0);
            self.inserted += taken;
            if taken < size {
                self.look_up(db, chunk).await?;
                continue;
            }
            // All of them went in, one after another.
            let first = done.last_insert_rowid() - size as i64 + 1;
            chunk.iter().zip(first..).for_each(|(&place, row)| self.rows[place] = row);
        }
        self.settle()
    }

    fn key(&self, place: usize) -> [u8; 16] {
        self.records.digest(self.distinct[place]).key()
    }

    /// Finds the rows of those that are there.
    async fn look_up(&mut self, db: &mut SqliteConnection, places: &[usize]) -> Result<(), StoreError> {
        let mut rest = places;
        while !rest.is_empty() {
            let (size, text) = FIND_KEYS.for_rows(rest.len());
            let (chunk, further) = rest.split_at(size);
            rest = further;
            let query = sqlx::query(text).bind(self.profile);
            let query = chunk.iter().fold(query, |query, place| query.bind(self.key(*place).to_vec()));
            let by_key: HashMap<[u8; 16], usize> = chunk.iter().map(|place| (self.key(*place), *place)).collect();
            for row in query.fetch_all(&mut *db).await? {
                let key: &[u8] = row.try_get(0)?;
                let place = <[u8; 16]>::try_from(key).ok().and_then(|key| by_key.get(&key));
                let place = place.ok_or_else(|| StoreError::Engine("a key came back that was not asked for".into()))?;
                self.rows[*place] = row.try_get(1)?;
            }
        }
        Ok(())
    }

    fn settle(self) -> Result<Placed, StoreError> {
        if self.rows.contains(&ABSENT) {
            return Err(StoreError::Engine("a record was neither inserted nor found".into()));
        }
        Ok(Placed { rows: self.rows, inserted: self.inserted })
    }
}
