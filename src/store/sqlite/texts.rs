//! Statements over many rows, in a few fixed sizes, so that each is prepared once. The only place that builds SQL
//! text: from constants alone, never from a value.

use std::sync::{Arc, LazyLock};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The sizes, largest first; the last must be 1.
const SIZES: [usize; 5] = [200, 100, 20, 4, 1];

/// One statement in every size.
pub(super) struct Sized {
    texts: [Arc<str>; SIZES.len()],
}

impl Sized {
    /// `head` and `tail` around `row` repeated with commas.
    fn new(head: &str, row: &str, tail: &str) -> Self {
        let text = |size: usize| format!("{head}{}{tail}", vec![row; size].join(","));
        Self { texts: SIZES.map(|size| text(size).into()) }
    }

    /// The largest statement that takes no more than `rows` rows, and how many it takes. `rows` is at least 1.
    pub(super) fn for_rows(&self, rows: usize) -> (usize, SqlStr) {
        let index = SIZES.iter().position(|size| *size <= rows).unwrap_or(SIZES.len() - 1);
        (SIZES[index], AssertSqlSafe(Arc::clone(&self.texts[index])).into_sql_str())
    }
}

/// Binds for each row: profile, key, batch, body, observation.
pub(super) static INSERT_RECORDS: LazyLock<Sized> = LazyLock::new(|| {
    let head = "INSERT OR IGNORE INTO records (profile, key, batch, body, observation) VALUES ";
    Sized::new(head, "(?,?,?,?,?)", "")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_rows_is_covered_without_rest() {
        for rows in [1, 3, 4, 99, 1_000, 1_234] {
            let (mut left, mut statements) = (rows, 0);
            while left > 0 {
                let (taken, text) = INSERT_RECORDS.for_rows(left);
                assert_eq!(text.as_str().matches("(?,?,?,?,?)").count(), taken);
                left -= taken;
                statements += 1;
            }
            assert!(statements <= 14, "{rows} rows took {statements} statements");
        }
    }
}
