//! Putting the records of a group: which are new, which were known, and the row of each. Those of profiles that mostly
//! send what is known are looked up first; the rest is inserted in one statement, and looked up only where some were
//! ignored.

use std::borrow::Cow;
use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use sqlx::{Row, query};

use crate::store::error::StoreError;
use crate::store::memory::{Content, Memory};
use crate::store::observed::Observed;
use crate::store::posted::Posted;
use crate::store::sightings::PLACE_BITS;

/// No row has this id.
const ABSENT: i64 = 0;

const INSERT: &str = "
    INSERT INTO records (id, profile, key, body)
    SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::text[])
    ON CONFLICT (profile, key) DO NOTHING";

/// As `INSERT`, of profiles with a key.
const INSERT_KEYED: &str = "
    INSERT INTO records (id, profile, key, body, observation)
    SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::text[], $5::bytea[])
    ON CONFLICT (profile, key) DO NOTHING";

const FIND_KEYS: &str = "
    SELECT w.place, r.id FROM unnest($1::integer[], $2::bytea[]) WITH ORDINALITY AS w (profile, key, place)
    JOIN records r ON r.profile = w.profile AND r.key = w.key";

/// A record that is to be in the database afterwards.
struct Wanted<'a> {
    profile: i32,
    key: [u8; 16],
    body: &'a str,
    observation: Option<[u8; 16]>,
    /// The id it takes if it is new: that of the batch that named it first, and its place there.
    new_id: i64,
    /// The id it has.
    id: i64,
}

/// One batch's part in it.
pub(super) struct Part<'a> {
    pub(super) posted: &'a Posted,
    pub(super) observed: Cow<'a, Observed>,
    pub(super) profile: i32,
    pub(super) batch: i64,
    /// Records of the profile that retention has removed.
    pub(super) expired: i64,
}

impl Part<'_> {
    fn content(&self) -> Content {
        Content { profile: self.profile.into(), expired: self.expired, digest: self.posted.content }
    }
}

/// Where a batch's distinct records are, and how many of them it brought.
#[derive(Debug, Clone, Default)]
pub(super) struct Placed {
    pub(super) rows: Vec<i64>,
    pub(super) inserted: usize,
}

/// The records of a group on their way in, each once.
#[derive(Default)]
struct Placing<'a> {
    wanted: Vec<Wanted<'a>>,
    by_key: HashMap<(i32, [u8; 16]), usize>,
}

/// Puts what is new of the batches that are stored, in their order.
pub(super) async fn place(
    db: &mut PgConnection,
    parts: &[Part<'_>],
    memory: &mut Memory,
) -> Result<Vec<Placed>, StoreError> {
    let mut placing = Placing::default();
    let mut places = Vec::with_capacity(parts.len());
    for part in parts {
        places.push(match memory.rows_of(&part.content(), part.posted.distinct.len()) {
            Some(rows) => Err(rows),
            None => Ok(placing.take(part)?),
        });
    }
    placing.put(db, memory).await?;
    let placed = parts.iter().zip(places).map(|(part, places)| match places {
        Err(rows) => Placed { rows, inserted: 0 },
        Ok(places) => placing.settle(part, &places, memory),
    });
    Ok(placed.collect())
}

impl<'a> Placing<'a> {
    /// Takes a batch's records in; gives the place of each among all.
    fn take(&mut self, part: &Part<'a>) -> Result<Vec<usize>, StoreError> {
        let records = &part.posted.batch.records;
        let mut places = Vec::with_capacity(part.posted.distinct.len());
        for (place, &index) in part.posted.distinct.iter().enumerate() {
            let key = records.digest(index).key();
            let next = self.wanted.len();
            let at = *self.by_key.entry((part.profile, key)).or_insert(next);
            if at == next {
                let body = std::str::from_utf8(records.text(index));
                let body = body.map_err(|error| StoreError::Engine(format!("a record is not UTF-8: {error}")))?;
                let new_id = part.batch << PLACE_BITS | place as i64;
                let observation = part.observed.at(place);
                self.wanted.push(Wanted { profile: part.profile, key, body, observation, new_id, id: ABSENT });
            }
            places.push(at);
        }
        Ok(places)
    }

    async fn put(&mut self, db: &mut PgConnection, memory: &Memory) -> Result<(), StoreError> {
        let is_likely = |wanted: &Wanted<'_>| memory.expects_known(wanted.profile.into());
        let likely: Vec<usize> = (0..self.wanted.len()).filter(|at| is_likely(&self.wanted[*at])).collect();
        self.look_up(db, &likely).await?;
        let rest: Vec<usize> = (0..self.wanted.len()).filter(|at| self.wanted[*at].id == ABSENT).collect();
        if rest.is_empty() {
            return Ok(());
        }
        if self.insert(db, &rest).await? == rest.len() {
            rest.iter().for_each(|at| self.wanted[*at].id = self.wanted[*at].new_id);
            return Ok(());
        }
        self.look_up(db, &rest).await?;
        if self.wanted.iter().any(|wanted| wanted.id == ABSENT) {
            return Err(StoreError::Engine("a record was neither inserted nor found".into()));
        }
        Ok(())
    }

    /// How many were inserted.
    async fn insert(&self, db: &mut PgConnection, rest: &[usize]) -> Result<usize, StoreError> {
        let wanted = || rest.iter().map(|at| &self.wanted[*at]);
        let is_keyed = wanted().any(|wanted| wanted.observation.is_some());
        let ask = query(if is_keyed { INSERT_KEYED } else { INSERT })
            .bind(wanted().map(|wanted| wanted.new_id).collect::<Vec<_>>())
            .bind(wanted().map(|wanted| wanted.profile).collect::<Vec<_>>())
            .bind(wanted().map(|wanted| &wanted.key[..]).collect::<Vec<_>>())
            .bind(wanted().map(|wanted| wanted.body).collect::<Vec<_>>());
        let ask = if is_keyed {
            ask.bind(wanted().map(|wanted| wanted.observation.as_ref().map(|bytes| &bytes[..])).collect::<Vec<_>>())
        } else {
            ask
        };
        Ok(usize::try_from(ask.execute(db).await?.rows_affected()).unwrap_or(0))
    }

    async fn look_up(&mut self, db: &mut PgConnection, places: &[usize]) -> Result<(), StoreError> {
        if places.is_empty() {
            return Ok(());
        }
        let profiles: Vec<i32> = places.iter().map(|at| self.wanted[*at].profile).collect();
        let keys: Vec<&[u8]> = places.iter().map(|at| &self.wanted[*at].key[..]).collect();
        let rows = query(FIND_KEYS).bind(profiles).bind(keys).fetch_all(db).await?;
        for row in &rows {
            let place: i64 = row.try_get(0)?;
            let at = usize::try_from(place - 1).ok().and_then(|place| places.get(place));
            let at = at.ok_or_else(|| StoreError::Engine(format!("the server gave the place {place}")))?;
            self.wanted[*at].id = row.try_get(1)?;
        }
        Ok(())
    }

    /// A batch's rows, and those of them that it brought; the memory learns of it.
    fn settle(&self, part: &Part<'_>, places: &[usize], memory: &mut Memory) -> Placed {
        let rows: Vec<i64> = places.iter().map(|at| self.wanted[*at].id).collect();
        let inserted = rows.iter().filter(|id| **id >> PLACE_BITS == part.batch).count();
        let profile = part.profile.into();
        if !rows.is_empty() {
            memory.remember(profile, inserted * 2 < rows.len());
            memory.keep_rows(part.content(), &rows);
        }
        Placed { rows, inserted }
    }
}
