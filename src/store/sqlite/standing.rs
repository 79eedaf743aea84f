//! Which of several versions of an observation a query sees, as conditions over records `r`, their batches `b` and the
//! runs `u` of these.

/// What stands now.
macro_rules! stands_now {
    () => {
        " AND r.replaced IS NULL"
    };
}

/// What stood at a time, which is bound twice. Only observations with several versions have turns.
macro_rules! stood_then {
    () => {
        " AND CASE WHEN r.observation IS NOT NULL AND EXISTS (SELECT 1 FROM revisions v
              WHERE v.profile = r.profile AND v.observation = r.observation)
          THEN r.id = (SELECT v.record FROM revisions v WHERE v.profile = r.profile AND v.observation = r.observation
              AND v.seen_ms <= ? ORDER BY v.seen_ms DESC LIMIT 1)
          ELSE r.replaced IS NULL AND min(u.started_ms, b.received_ms) <= ? END"
    };
}

pub(super) use {stands_now, stood_then};
