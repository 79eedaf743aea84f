//! Which of several versions of an observation a query sees, as conditions over records `r`, their batches `b` and the
//! runs `u` of these.

/// What stands now.
macro_rules! stands_now {
    () => {
        " AND r.replaced IS NULL"
    };
}

/// What stood at the time that is bound as `$time`. Only observations with several versions have turns. No `EXISTS`: the
/// planner might read all turns for it.
macro_rules! stood_then {
    ($time:literal) => {
        concat!(
            " AND CASE WHEN r.observation IS NOT NULL AND (SELECT 1 FROM revisions v
                  WHERE v.profile = r.profile AND v.observation = r.observation LIMIT 1) = 1
              THEN r.id = (SELECT v.record FROM revisions v
                  WHERE v.profile = r.profile AND v.observation = r.observation AND v.seen_ms <= ",
            $time,
            " ORDER BY v.seen_ms DESC LIMIT 1)
              ELSE r.replaced IS NULL AND least(u.started_ms, b.received_ms) <= ",
            $time,
            " END"
        )
    };
}

pub(super) use {stands_now, stood_then};
