-- Runs that read kept answers again. Beside `runs`, since few runs are replays.
--   by its profile:        replays
--   tenant_id of its own:  replay_requests
CREATE TABLE replays (
    -- A row of runs.
    run         INTEGER PRIMARY KEY,
    profile     INTEGER NOT NULL,
    -- The id of the run whose answers were read; it may be of another store.
    replay_of   TEXT    NOT NULL
) STRICT;

CREATE INDEX replays_of_profile ON replays (profile);

-- Replays asked for by hand and not yet carried out, one for each drone.
CREATE TABLE replay_requests (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id    INTEGER NOT NULL REFERENCES tenants (id),
    profile      INTEGER NOT NULL REFERENCES profiles (id),
    -- The version that reads them: one of profile_versions.
    digest       BLOB    NOT NULL,
    drone_id     TEXT    NOT NULL,
    since_ms     INTEGER,
    until_ms     INTEGER,
    run_id       TEXT,
    requested_ms INTEGER NOT NULL
) STRICT;
