-- The first layout. Rules for every later one: expand and contract in separate releases, since the release before
-- may serve beside this one on the same database.
--
-- Every row belongs to a tenant. Where a table does not carry tenant_id itself, it belongs to the tenant of its
-- profile, which is an integer that no two tenants share:
--   tenant_id of its own:  names, profiles, runs, drones, run_requests, reports
--   by its profile:        profile_versions, counters, batches, records
--   by its records:        record_sets (record ids are of one profile)

-- Names this database for ever: what a drone knows of a source's last answer holds only for the store that has it.
CREATE TABLE identity (
    store_id TEXT NOT NULL
) STRICT;

INSERT INTO identity (store_id) VALUES (lower(hex(randomblob(16))));

CREATE TABLE tenants (
    id                INTEGER PRIMARY KEY,
    name              TEXT    NOT NULL UNIQUE,
    -- Grows with every change of a profile, so that "has anything changed?" is one row.
    profiles_revision INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO tenants (id, name) VALUES (1, 'default');

-- Texts that rows repeat: drone ids and profile digests of runs.
CREATE TABLE names (
    id        INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL REFERENCES tenants (id),
    name      TEXT    NOT NULL,
    UNIQUE (tenant_id, name)
) STRICT;

CREATE TABLE profiles (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  INTEGER NOT NULL REFERENCES tenants (id),
    profile_id TEXT    NOT NULL,
    -- A row of profile_versions; null for a moment only, while the first version is written.
    version    INTEGER,
    paused     INTEGER NOT NULL DEFAULT 0,
    updated_ms INTEGER NOT NULL,
    -- Set: hidden. Its records stay.
    deleted_ms INTEGER,
    UNIQUE (tenant_id, profile_id)
) STRICT;

-- Every version ever put, by the digest of its text.
CREATE TABLE profile_versions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    profile    INTEGER NOT NULL REFERENCES profiles (id),
    digest     BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    yaml       TEXT    NOT NULL,
    enabled    INTEGER NOT NULL,
    origin     TEXT    NOT NULL,
    path       TEXT,
    created_ms INTEGER NOT NULL,
    -- Counts the puts of a profile: the version before the current one has the next lower turn.
    turn       INTEGER NOT NULL,
    UNIQUE (profile, digest)
) STRICT;

-- What the summary tells, kept by the transaction that stores a batch, so that it never has to be counted.
CREATE TABLE counters (
    profile          INTEGER PRIMARY KEY REFERENCES profiles (id),
    records          INTEGER NOT NULL DEFAULT 0,
    results          INTEGER NOT NULL DEFAULT 0,
    running          INTEGER NOT NULL DEFAULT 0,
    succeeded        INTEGER NOT NULL DEFAULT 0,
    unchanged        INTEGER NOT NULL DEFAULT 0,
    partial          INTEGER NOT NULL DEFAULT 0,
    failed           INTEGER NOT NULL DEFAULT 0,
    last_run         INTEGER,
    last_received_ms INTEGER
) STRICT;

CREATE TABLE runs (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id      INTEGER NOT NULL,
    run_id         TEXT    NOT NULL,
    profile        INTEGER NOT NULL,
    -- Rows of names.
    drone          INTEGER NOT NULL,
    profile_digest INTEGER,
    -- 0 running, 1 succeeded, 2 unchanged, 3 partial, 4 failed.
    state          INTEGER NOT NULL,
    started_ms     INTEGER NOT NULL,
    finished_ms    INTEGER,
    received_ms    INTEGER NOT NULL,
    batches        INTEGER NOT NULL,
    inserted       INTEGER NOT NULL,
    known          INTEGER NOT NULL,
    rejected       INTEGER NOT NULL,
    requests       INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,
    rows           INTEGER NOT NULL,
    dropped        INTEGER NOT NULL,
    error          TEXT,
    UNIQUE (tenant_id, run_id)
) STRICT;

-- Both carry the rowid, hence list runs in the order of arrival.
CREATE INDEX runs_of_tenant ON runs (tenant_id);
CREATE INDEX runs_of_profile ON runs (profile);

-- A set of records in the order a batch named them, as packed ids (src/store/record_set.rs), stored once however
-- often a source yields it.
CREATE TABLE record_sets (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB    NOT NULL UNIQUE,
    ids    BLOB    NOT NULL
) STRICT;

-- One stored batch: the fact that its run saw the records of its set.
CREATE TABLE batches (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    profile     INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    -- What names the batch in its run: 4 bytes of seq, or 16 bytes of the content digest where there is no seq.
    batch_key   BLOB    NOT NULL,
    -- First 16 bytes of the content digest: tells a resend from another batch under the same seq.
    digest      BLOB    NOT NULL,
    inserted    INTEGER NOT NULL,
    known       INTEGER NOT NULL,
    rejected    INTEGER NOT NULL,
    -- Null: the batch held no record.
    record_set  INTEGER,
    received_ms INTEGER NOT NULL,
    UNIQUE (run, batch_key)
) STRICT;

-- Both carry the rowid, hence list batches in the order of arrival.
CREATE INDEX batches_of_profile ON batches (profile);
CREATE INDEX batches_of_run ON batches (run);

-- Records in the order of their arrival. Small columns first: a reader of the key need not pass the body.
CREATE TABLE records (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    profile INTEGER NOT NULL,
    -- First 16 bytes of the SHA-256 of body; the whole digest is computed again where it is shown.
    key     BLOB    NOT NULL,
    -- The batch that brought it: when it was first seen, and by which run.
    batch   INTEGER NOT NULL,
    -- Canonical JSON: {"dims":{…},"measures":{…}}.
    body    TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX records_key ON records (profile, key);
-- Carries the rowid, hence lists a profile's records in the order of arrival.
CREATE INDEX records_of_profile ON records (profile);

CREATE TABLE drones (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id     INTEGER NOT NULL REFERENCES tenants (id),
    drone_id      TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    labels        TEXT    NOT NULL,
    registered_ms INTEGER NOT NULL,
    last_seen_ms  INTEGER NOT NULL,
    draining      INTEGER NOT NULL,
    UNIQUE (tenant_id, drone_id)
) STRICT;

-- Runs asked for by hand and not yet carried out.
CREATE TABLE run_requests (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id    INTEGER NOT NULL REFERENCES tenants (id),
    profile      INTEGER NOT NULL REFERENCES profiles (id),
    requested_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE reports (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  INTEGER NOT NULL REFERENCES tenants (id),
    report_id  TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    spec       TEXT    NOT NULL,
    result     TEXT    NOT NULL,
    UNIQUE (tenant_id, report_id)
) STRICT;
