//! What PostgreSQL and its connection say, in the store's words.

use sqlx::postgres::PgDatabaseError;

use crate::store::error::{StoreError, THIS_DATABASE};

/// An error of the connection, not of the server. Of both engines: SQLite's connection has none but the pool's.
pub(in crate::store) fn of_connection(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolTimedOut => StoreError::Busy("all connections are in use".into()),
        sqlx::Error::PoolClosed => StoreError::Closed,
        sqlx::Error::Io(told) => StoreError::Io(told.to_string()),
        sqlx::Error::Tls(told) => StoreError::Unreachable(format!("TLS: {told}")),
        other => StoreError::Engine(other.to_string()),
    }
}

/// An error that the server told.
pub(in crate::store) fn of_state(told: &PgDatabaseError) -> StoreError {
    from_state(told.code(), told.message().to_owned())
}

/// The five letters of SQLSTATE, see appendix A of PostgreSQL's manual.
fn from_state(state: &str, text: String) -> StoreError {
    match state {
        "28P01" | "28000" => StoreError::Login(text),
        "3D000" => StoreError::Unfit(format!("{text}; create it, or name another in store.url")),
        "42501" => StoreError::NoRights(text),
        "25006" => StoreError::ReadOnly(format!("{text}; name the primary server in store.url")),
        "53100" => StoreError::DiskFull(text),
        "42P07" => StoreError::Foreign { path: THIS_DATABASE.into(), reason: text },
        "XX001" | "XX002" => StoreError::Damaged { path: THIS_DATABASE.into(), reason: text },
        // A shutdown, a crash of another backend, a server that is just starting.
        "57P01" | "57P02" | "57P03" | "53300" => StoreError::Unreachable(text),
        // A deadlock, a serialization failure, a key that another process has just written.
        "40P01" | "40001" | "23505" => StoreError::Raced(text),
        // Statement and lock timeouts, too many locks or too little memory.
        "57014" | "55P03" | "53200" | "25P03" => StoreError::Busy(text),
        _ if state.starts_with("08") => StoreError::Unreachable(text),
        _ => StoreError::Engine(format!("{text} (SQLSTATE {state})")),
    }
}

/// On a network, what fails while reading or writing is the way to the server.
pub(super) fn of_network(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Io(told) => StoreError::Unreachable(told.to_string()),
        sqlx::Error::Protocol(told) => StoreError::Unreachable(told),
        other => other.into(),
    }
}

/// The same, for an error that was put into the store's words already.
pub(super) fn over_network(error: StoreError) -> StoreError {
    match error {
        StoreError::Io(text) => StoreError::Unreachable(text),
        other => other,
    }
}

/// A commit that was not answered may have happened; one that the server refused has not.
pub(super) fn of_commit(error: sqlx::Error) -> StoreError {
    match of_network(error) {
        raced @ StoreError::Raced(_) => raced,
        other => StoreError::OutcomeUnknown(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_in_the_operators_words() {
        let of = |state| from_state(state, "told".into());
        assert!(matches!(of("28P01"), StoreError::Login(_)));
        assert!(matches!(of("53100"), StoreError::DiskFull(_)));
        assert!(matches!(of("08006"), StoreError::Unreachable(_)));
        assert!(matches!(of("57014"), StoreError::Busy(_)));
        assert!(matches!(of("99999"), StoreError::Engine(_)));
        assert!(of("3D000").to_string().contains("store.url"));
    }
}
