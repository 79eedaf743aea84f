-- What is told of runs beside their counts: rows that failed, changes of shape, and records that wait until somebody
-- says what becomes of them. All of it belongs to the tenant of its profile, as batches and records do.

-- One row for a run that has something to tell.
CREATE TABLE findings (
    -- A row of runs.
    run        INTEGER PRIMARY KEY,
    profile    INTEGER NOT NULL,
    -- Rows that failed, in all and by reason (JSON), and how many of them were kept.
    rejected   INTEGER NOT NULL,
    kept       INTEGER NOT NULL,
    counts     TEXT    NOT NULL,
    -- 1: it looked other than the runs before it; how, as JSON.
    drifted    INTEGER NOT NULL,
    changes    TEXT    NOT NULL,
    -- What becomes of records that were held: 1 accepted, 2 waiting, 3 failed, 4 released, 5 discarded. Null: none were.
    fate       INTEGER,
    -- Of a run that waits: what the next one is compared with once it is released, as JSON.
    shape      TEXT,
    created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX findings_waiting ON findings (profile) WHERE fate = 2;

-- Rows that failed, the newest runs' last.
CREATE TABLE rejects (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    profile INTEGER NOT NULL,
    run     INTEGER NOT NULL,
    -- Place in the post, of a record that was refused there; null: a row that gave no record at the drone.
    place   INTEGER,
    reason  TEXT    NOT NULL,
    excerpt TEXT    NOT NULL
) STRICT;

CREATE INDEX rejects_of_run ON rejects (run);
CREATE INDEX rejects_of_profile ON rejects (profile);

-- What the last accepted runs of a version looked like, as JSON.
CREATE TABLE shapes (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    profile INTEGER NOT NULL,
    -- A row of names, the digest of the profile's version; 0 where it was not told.
    version INTEGER NOT NULL,
    shape   TEXT    NOT NULL
) STRICT;

CREATE INDEX shapes_of_profile ON shapes (profile, version);

-- Batches whose records are not stored yet, or never will be: those keep their names, so that a batch sent again is
-- answered as before.
CREATE TABLE held (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    profile   INTEGER NOT NULL,
    run       INTEGER NOT NULL,
    batch_key BLOB    NOT NULL,
    digest    BLOB    NOT NULL,
    records   INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    held_ms   INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    -- JSON of the batch, zstd. Null: the records are gone.
    body      BLOB,
    UNIQUE (run, batch_key)
) STRICT;

CREATE INDEX held_of_profile ON held (profile);

-- Kept by the transactions above, so that nothing has to be summed.
CREATE TABLE findings_totals (
    profile   INTEGER PRIMARY KEY,
    -- Runs that drifted, rows that failed, runs whose held records were discarded: ever.
    drifted   INTEGER NOT NULL DEFAULT 0,
    rejected  INTEGER NOT NULL DEFAULT 0,
    discarded INTEGER NOT NULL DEFAULT 0,
    -- Runs that wait, and bytes of held batches: now.
    waiting   INTEGER NOT NULL DEFAULT 0,
    held      INTEGER NOT NULL DEFAULT 0
) STRICT;
