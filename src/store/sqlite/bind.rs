//! Values of the statements that both engines understand, as SQLite takes them.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use super::Sqlite;
use crate::store::error::StoreError;
use crate::store::sql::{Reads, Value};

pub(in crate::store) fn bound(
    statement: &'static str,
    values: Vec<Value>,
) -> Result<Query<'static, sqlx::Sqlite, SqliteArguments>, StoreError> {
    values.into_iter().try_fold(sqlx::query(statement), |query, value| {
        Ok(match value {
            Value::Number(number) => query.bind(number),
            Value::MaybeNumber(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::MaybeText(text) => query.bind(text),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::MaybeBytes(bytes) => query.bind(bytes),
            Value::Ids(ids) => {
                query.bind(serde_json::to_string(&ids).map_err(|error| StoreError::Engine(error.to_string()))?)
            }
        })
    })
}

impl Reads for Sqlite {
    type Row = SqliteRow;

    async fn read(&self, text: &'static str, values: Vec<Value>) -> Result<Vec<SqliteRow>, StoreError> {
        Ok(bound(text, values)?.fetch_all(&self.readers).await?)
    }
}
