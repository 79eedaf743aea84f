//! Values of the statements that both engines understand, as PostgreSQL takes them.

use sqlx::postgres::PgRow;

use super::Postgres;
use super::desk::Ask;
use super::text::kept;
use crate::store::error::StoreError;
use crate::store::sql::{Reads, Value};

pub(in crate::store) fn bound(statement: &'static str, values: Vec<Value>) -> Ask {
    values.into_iter().fold(sqlx::query(statement), |query, value| match value {
        Value::Number(number) => query.bind(number),
        Value::MaybeNumber(number) => query.bind(number),
        Value::Text(text) => query.bind(kept(&text).into_owned()),
        Value::MaybeText(text) => query.bind(text.map(|text| kept(&text).into_owned())),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::MaybeBytes(bytes) => query.bind(bytes),
        Value::Ids(ids) => query.bind(ids),
    })
}

impl Reads for Postgres {
    type Row = PgRow;

    async fn read(&self, text: &'static str, values: Vec<Value>) -> Result<Vec<PgRow>, StoreError> {
        self.desk.all(bound(text, values)).await
    }
}
