//! Putting a batch's records: which are new, which were known, and the row of each. Where most are likely to be new
//! they are inserted at once, and only a chunk in which some were ignored is looked up; where most are likely to be
//! known they are looked up first, and the rest is inserted.

use std::sync::Arc;

use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::{Arguments, Row, SqlStr};

use super::texts::INSERT_RECORDS;
use crate::domain::batch::Records;
use crate::store::error::StoreError;
use crate::store::observed::Observed;

/// No row has this id.
const ABSENT: i64 = 0;
const KEY_BYTES: usize = 16;

/// Binds: number of keys, profile, keys one after another. Gives one text, "place row" for each key that is there:
/// a thousand rows one by one would cost more on their way than in the tree.
pub(super) const FIND_KEYS: &str = "
    WITH RECURSIVE places (place) AS (SELECT 0 UNION ALL SELECT place + 1 FROM places WHERE place + 1 < ?)
    SELECT group_concat(place || ' ' || id) FROM places CROSS JOIN records
    WHERE profile = ? AND key = substr(?, place * 16 + 1, 16)";

/// The records of one batch on their way in.
pub(super) struct Placing<'a> {
    records: &'a Records,
    /// Indices of the records, each key once.
    distinct: &'a [usize],
    observed: &'a Observed,
    profile: i64,
    batch: i64,
    /// The row of each distinct record, in their order.
    rows: Vec<i64>,
    inserted: usize,
}

/// Where they are.
pub(super) struct Placed {
    pub(super) rows: Vec<i64>,
    pub(super) inserted: usize,
}

/// One insert, ready to run, and the places that it puts.
struct Insert<'p> {
    places: &'p [usize],
    text: SqlStr,
    arguments: SqliteArguments,
}

impl<'a> Placing<'a> {
    pub(super) fn new(
        records: &'a Records,
        distinct: &'a [usize],
        observed: &'a Observed,
        profile: i64,
        batch: i64,
    ) -> Self {
        Self { records, distinct, observed, profile, batch, rows: vec![ABSENT; distinct.len()], inserted: 0 }
    }

    /// Puts what is new.
    pub(super) async fn place(mut self, db: &mut SqliteConnection, look_first: bool) -> Result<Placed, StoreError> {
        let mut places: Vec<usize> = (0..self.distinct.len()).collect();
        if look_first {
            self.look_up(db, &places).await?;
            places.retain(|place| self.rows[*place] == ABSENT);
        }
        let mut rest = &places[..];
        let mut next = self.prepare(&mut rest)?;
        while let Some(insert) = next {
            // While the database works on one chunk, the next is made ready.
            let run = sqlx::query_with::<Sqlite, _>(insert.text, insert.arguments).execute(&mut *db);
            let (done, prepared) = futures_util::future::join(run, async { self.prepare(&mut rest) }).await;
            let done = done?;
            next = prepared?;
            let (size, taken) = (insert.places.len(), usize::try_from(done.rows_affected()).unwrap_or(0));
            self.inserted += taken;
            if taken < size {
                self.look_up(db, insert.places).await?;
                continue;
            }
            // All of them went in, one after another.
            let first = done.last_insert_rowid() - size as i64 + 1;
            insert.places.iter().zip(first..).for_each(|(&place, row)| self.rows[place] = row);
        }
        self.settle()
    }

    /// Takes the next chunk off `rest`.
    fn prepare<'p>(&self, rest: &mut &'p [usize]) -> Result<Option<Insert<'p>>, StoreError> {
        if rest.is_empty() {
            return Ok(None);
        }
        let (size, text) = INSERT_RECORDS.for_rows(rest.len());
        let (places, further) = rest.split_at(size);
        *rest = further;
        let mut arguments = SqliteArguments::default();
        arguments.reserve(size * 5, 0);
        for &place in places {
            let body = std::str::from_utf8(self.records.text(self.distinct[place]));
            let body = body.map_err(|error| StoreError::Engine(format!("a record is not UTF-8: {error}")))?;
            self.bind(&mut arguments, place, body).map_err(|error| StoreError::Engine(error.to_string()))?;
        }
        Ok(Some(Insert { places, text, arguments }))
    }

    fn bind(&self, arguments: &mut SqliteArguments, place: usize, body: &str) -> Result<(), sqlx::error::BoxDynError> {
        arguments.add(self.profile)?;
        arguments.add(self.key(place).to_vec())?;
        arguments.add(self.batch)?;
        arguments.add(Arc::<str>::from(body))?;
        arguments.add(self.observed.at(place).map(|observation| observation.to_vec()))
    }

    fn key(&self, place: usize) -> [u8; KEY_BYTES] {
        self.records.digest(self.distinct[place]).key()
    }

    /// Finds the rows of those that are there.
    async fn look_up(&mut self, db: &mut SqliteConnection, places: &[usize]) -> Result<(), StoreError> {
        let mut keys = Vec::with_capacity(places.len() * KEY_BYTES);
        places.iter().for_each(|place| keys.extend_from_slice(&self.key(*place)));
        let query = sqlx::query(FIND_KEYS).bind(places.len() as i64).bind(self.profile).bind(keys);
        let answer = query.fetch_one(db).await?;
        let found: Option<&str> = answer.try_get(0)?;
        for pair in found.unwrap_or_default().split_terminator(',') {
            let (place, row) = place_and_row(pair, places)
                .ok_or_else(|| StoreError::Engine(format!("{pair:?} is no place and row")))?;
            self.rows[place] = row;
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

/// Reads "place row", where `place` counts within the places that were asked for.
fn place_and_row(pair: &str, places: &[usize]) -> Option<(usize, i64)> {
    let (at, row) = pair.split_once(' ')?;
    Some((*places.get(at.parse::<usize>().ok()?)?, row.parse().ok()?))
}
