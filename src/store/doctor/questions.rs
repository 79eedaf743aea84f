//! Counts held against what they count, and rows that belong to nothing: one question each, whose answer should be 0.

use super::{Check, Patient};

/// The answer is a number of rows that should not be.
#[derive(Debug)]
pub(in crate::store) struct Question {
    check: &'static str,
    /// What each such row is.
    says: &'static str,
    pub(in crate::store) ask: Count,
}

/// The question in SQL.
#[derive(Debug)]
pub(in crate::store) enum Count {
    /// The same on both engines.
    Both(&'static str),
    Each {
        sqlite: &'static str,
        postgres: &'static str,
    },
}

const ORPHANS: &str = "orphans";
const COUNTS: &str = "counts";

macro_rules! orphans {
    ($of:literal, $says:literal, $sql:literal) => {
        Question {
            check: ORPHANS,
            says: $says,
            ask: Count::Both(concat!("SELECT count(*) FROM ", $of, " WHERE ", $sql)),
        }
    };
}

macro_rules! counts {
    ($column:literal, $says:literal, $sql:literal) => {
        Question {
            check: COUNTS,
            says: $says,
            ask: Count::Both(concat!(
                "SELECT count(*) FROM counters c WHERE ",
                $column,
                " <> (SELECT count(*) FROM ",
                $sql,
                ")"
            )),
        }
    };
}

const ALL: &[Question] = &[
    orphans!(
        "profile_versions v",
        "version of no profile",
        "NOT EXISTS (SELECT 1 FROM profiles p WHERE p.id = v.profile)"
    ),
    orphans!(
        "profiles p",
        "profile without its current version",
        "NOT EXISTS (SELECT 1 FROM profile_versions v WHERE v.id = p.version AND v.profile = p.id)"
    ),
    orphans!("profiles p", "profile without counts", "NOT EXISTS (SELECT 1 FROM counters c WHERE c.profile = p.id)"),
    orphans!("runs r", "run of no profile", "NOT EXISTS (SELECT 1 FROM profiles p WHERE p.id = r.profile)"),
    orphans!("runs r", "run of an unnamed drone", "NOT EXISTS (SELECT 1 FROM names n WHERE n.id = r.drone)"),
    orphans!(
        "batches b",
        "batch of no run of its profile",
        "NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = b.run AND r.profile = b.profile)"
    ),
    orphans!(
        "batches b",
        "batch whose set of records is gone",
        "b.record_set IS NOT NULL AND NOT EXISTS (SELECT 1 FROM record_sets s WHERE s.id = b.record_set)"
    ),
    Question {
        check: ORPHANS,
        says: "record of no batch of its profile",
        ask: Count::Each {
            sqlite: "SELECT count(*) FROM records r
                WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.id = r.batch AND b.profile = r.profile)",
            postgres: "SELECT count(*) FROM records r
                WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.id = r.id >> 16 AND b.profile = r.profile)",
        },
    },
    orphans!(
        "revisions v",
        "version of an observation without its record",
        "NOT EXISTS (SELECT 1 FROM records r WHERE r.profile = v.profile AND r.id = v.record)"
    ),
    counts!(
        "c.records",
        "profile whose number of records is not the one that is told",
        "records r WHERE r.profile = c.profile"
    ),
    counts!(
        "c.replaced",
        "profile whose number of replaced records is not the one that is told",
        "records r WHERE r.profile = c.profile AND r.replaced IS NOT NULL"
    ),
    counts!(
        "c.running",
        "profile whose number of running runs is wrong",
        "runs r WHERE r.profile = c.profile AND r.state = 0"
    ),
    counts!(
        "c.succeeded",
        "profile whose number of runs that succeeded is wrong",
        "runs r WHERE r.profile = c.profile AND r.state = 1"
    ),
    counts!(
        "c.unchanged",
        "profile whose number of unchanged runs is wrong",
        "runs r WHERE r.profile = c.profile AND r.state = 2"
    ),
    counts!(
        "c.partial",
        "profile whose number of partial runs is wrong",
        "runs r WHERE r.profile = c.profile AND r.state = 3"
    ),
    counts!(
        "c.failed",
        "profile whose number of failed runs is wrong",
        "runs r WHERE r.profile = c.profile AND r.state = 4"
    ),
];

pub(super) async fn ask(body: &mut impl Patient) -> [Check; 2] {
    let mut checks = [Check::of(COUNTS), Check::of(ORPHANS)];
    for question in ALL {
        let answer = body.count(question).await;
        let check = &mut checks[usize::from(question.check == ORPHANS)];
        match answer {
            Ok(0) => {}
            Ok(found) => {
                check.fault(format!("{found} × {}", question.says));
                check.faults += found.unsigned_abs().saturating_sub(1);
            }
            Err(error) => check.fault(format!("{}: {error}", question.says)),
        }
    }
    checks
}
