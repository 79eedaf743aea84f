//! Statements that both engines understand, for all that is not the way of every batch: one text, with `$1` for its first
//! value. So what is kept of runs beside their records is written once. What only one engine says well, and every
//! statement whose plan matters, stays in the folder of its engine.

use std::future::Future;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{ColumnIndex, Decode, Row, Type};

use super::error::StoreError;

/// A value as it is bound. Owned, since these statements are few and small.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Number(i64),
    MaybeNumber(Option<i64>),
    Text(String),
    MaybeText(Option<String>),
    Bytes(Vec<u8>),
    MaybeBytes(Option<Vec<u8>>),
    /// An array where there are arrays, and a JSON text otherwise.
    Ids(Vec<i64>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident,)+) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })+
    };
}

value_from! {
    i64 => Number, u32 => Number, Option<i64> => MaybeNumber, &str => Text, String => Text,
    Option<String> => MaybeText, &[u8] => Bytes, Vec<u8> => Bytes, Option<Vec<u8>> => MaybeBytes, &[i64] => Ids,
    Vec<i64> => Ids,
}

/// The values of a statement, in the order of their numbers.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::sql::Value::from($value)),*]
    };
}

pub(super) use values;

/// A connection within a transaction.
pub(super) trait Db: Send {
    type Row: Cells;

    fn all(
        &mut self,
        text: &'static str,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;

    /// Gives the number of rows that it changed.
    fn run(&mut self, text: &'static str, values: Vec<Value>) -> impl Future<Output = Result<i64, StoreError>> + Send;

    /// Keeps everybody else from writing what belongs to the profile until the transaction ends.
    fn take_profile(&mut self, profile: i64) -> impl Future<Output = Result<(), StoreError>> + Send;

    fn first(
        &mut self,
        text: &'static str,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Option<Self::Row>, StoreError>> + Send {
        async move { Ok(self.all(text, values).await?.into_iter().next()) }
    }
}

/// An engine's readers.
pub(super) trait Reads: Sync {
    type Row: Cells;

    fn read(
        &self,
        text: &'static str,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
}

/// A row, by the places of its columns.
pub(super) trait Cells: Send + Sync {
    fn number(&self, column: usize) -> Result<i64, StoreError>;
    fn maybe_number(&self, column: usize) -> Result<Option<i64>, StoreError>;
    fn text(&self, column: usize) -> Result<&str, StoreError>;
    fn maybe_text(&self, column: usize) -> Result<Option<&str>, StoreError>;
    fn bytes(&self, column: usize) -> Result<&[u8], StoreError>;
}

impl<R: Row + Send + Sync> Cells for R
where
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r str: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r [u8]: Decode<'r, R::Database> + Type<R::Database>,
{
    fn number(&self, column: usize) -> Result<i64, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn maybe_number(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: usize) -> Result<&str, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
        Ok(self.try_get(column)?)
    }
}

/// A stored digest or key, of which 16 bytes are kept.
pub(super) fn sixteen(bytes: &[u8]) -> Result<[u8; 16], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Engine("a stored key has not 16 bytes".into()))
}

impl Db for SqliteConnection {
    type Row = SqliteRow;

    async fn all(&mut self, text: &'static str, values: Vec<Value>) -> Result<Vec<SqliteRow>, StoreError> {
        Ok(super::sqlite::bound(text, values)?.fetch_all(self).await?)
    }

    async fn run(&mut self, text: &'static str, values: Vec<Value>) -> Result<i64, StoreError> {
        Ok(super::sqlite::bound(text, values)?.execute(self).await?.rows_affected().cast_signed())
    }

    /// It is the only writer of its file.
    async fn take_profile(&mut self, _profile: i64) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Db for PgConnection {
    type Row = PgRow;

    async fn all(&mut self, text: &'static str, values: Vec<Value>) -> Result<Vec<PgRow>, StoreError> {
        Ok(super::postgres::bound(text, values).fetch_all(self).await?)
    }

    async fn run(&mut self, text: &'static str, values: Vec<Value>) -> Result<i64, StoreError> {
        Ok(super::postgres::bound(text, values).execute(self).await?.rows_affected().cast_signed())
    }

    async fn take_profile(&mut self, profile: i64) -> Result<(), StoreError> {
        let text = "SELECT FROM counters WHERE profile = $1 FOR NO KEY UPDATE";
        sqlx::query(text).bind(profile).execute(self).await?;
        Ok(())
    }
}
