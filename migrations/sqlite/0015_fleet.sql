-- Where profiles may run, and what drones offer. Expands only: the release before ignores the new columns and goes on
-- writing without them.

-- What a version needs of a drone, as JSON; null: nothing, or the version was put by a release that did not keep it.
ALTER TABLE profile_versions ADD COLUMN needs TEXT;

-- Names of the secrets that a drone holds, as a JSON list; null: it does not tell.
ALTER TABLE drones ADD COLUMN secrets TEXT;
-- The most profiles that it takes; null: as many as come.
ALTER TABLE drones ADD COLUMN capacity INTEGER;
ALTER TABLE drones ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;

-- Profiles that an operator keeps on one drone.
CREATE TABLE pins (
    -- A row of profiles, hence of one tenant.
    profile  INTEGER PRIMARY KEY REFERENCES profiles (id),
    drone_id TEXT    NOT NULL
) STRICT;
