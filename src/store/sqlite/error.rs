//! What SQLite says, in the store's words.

use crate::store::error::{StoreError, THIS_DATABASE};

/// SQLite's primary result codes that an operator can do something about.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;
const NOTADB: i32 = 26;

/// What the database answered.
pub(in crate::store) fn of_code(told: &dyn sqlx::error::DatabaseError) -> StoreError {
    let code = told.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
    from_code(code, format!("error returned from database: {told}"))
}

fn from_code(code: i32, text: String) -> StoreError {
    match code & 0xff {
        BUSY | LOCKED | PROTOCOL => StoreError::Busy(text),
        READONLY => StoreError::ReadOnly(text),
        IOERR | CANTOPEN => StoreError::Io(text),
        FULL => StoreError::DiskFull(text),
        CORRUPT => StoreError::Damaged { path: THIS_DATABASE.into(), reason: text },
        NOTADB => StoreError::Foreign { path: THIS_DATABASE.into(), reason: text },
        _ => StoreError::Engine(text),
    }
}

impl StoreError {
    /// Names the file in errors that speak of it.
    pub(in crate::store) fn of_file(self, file: &std::path::Path) -> Self {
        let path = file.display().to_string();
        match self {
            Self::Damaged { reason, .. } => Self::Damaged { path, reason },
            Self::Foreign { reason, .. } => Self::Foreign { path, reason },
            Self::Newer { found, .. } => Self::Newer { path, found },
            Self::Io(text) => Self::Io(format!("{path}: {text}")),
            Self::ReadOnly(text) => Self::ReadOnly(format!("{path}: {text}")),
            Self::DiskFull(text) => Self::DiskFull(format!("{path}: {text}")),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_codes_fall_under_their_family() {
        assert!(matches!(from_code(5 | 2 << 8, String::new()), StoreError::Busy(_)));
        assert!(matches!(from_code(10 | 8 << 8, String::new()), StoreError::Io(_)));
        assert!(matches!(from_code(13, String::new()), StoreError::DiskFull(_)));
        assert!(matches!(from_code(11, String::new()), StoreError::Damaged { .. }));
        assert!(matches!(from_code(1, String::new()), StoreError::Engine(_)));
    }
}
