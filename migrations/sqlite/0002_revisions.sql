-- Versions of observations. Expands only: the release before ignores the new columns and goes on writing without them.

-- The dims that identify an observation, as a JSON list of paths; null where the version was put by a release that did
-- not keep them, '[]' where the profile has no key.
ALTER TABLE profile_versions ADD COLUMN key_dims TEXT;
-- The key by which the profile's stored records are linked, written the same way; null: by none yet.
ALTER TABLE profiles ADD COLUMN keyed_by TEXT;

-- First 16 bytes of the digest of the record's key dims; null: it stands for itself.
ALTER TABLE records ADD COLUMN observation BLOB;
-- Set: another version of its observation stands now. The batch that brought it about.
ALTER TABLE records ADD COLUMN replaced INTEGER;

-- Finds what stands for an observation.
CREATE INDEX records_standing ON records (profile, observation, replaced) WHERE observation IS NOT NULL AND replaced IS NULL;
CREATE INDEX records_replaced ON records (profile) WHERE replaced IS NOT NULL;

-- From seen_ms on, the observation was the record. Written for observations with more than one version only.
CREATE TABLE revisions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    profile     INTEGER NOT NULL,
    observation BLOB    NOT NULL,
    -- Start of the run that saw it, in Unix milliseconds.
    seen_ms     INTEGER NOT NULL,
    record      INTEGER NOT NULL,
    UNIQUE (profile, observation, seen_ms)
) STRICT;

-- Observations that changed with a batch, a run, in all; and the start of the latest run of a profile.
ALTER TABLE batches ADD COLUMN revised INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN revised INTEGER NOT NULL DEFAULT 0;
ALTER TABLE counters ADD COLUMN replaced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE counters ADD COLUMN seen_ms INTEGER;

-- Finds what later runs saw.
CREATE INDEX runs_by_start ON runs (profile, started_ms);
