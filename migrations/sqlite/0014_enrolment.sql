-- Drones that join with a token and have a key of their own. Tokens and keys are kept as digests (SHA-256) only.

-- Tokens that drones may join with.
CREATE TABLE invites (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id    INTEGER NOT NULL REFERENCES tenants (id),
    digest       BLOB    NOT NULL UNIQUE,
    note         TEXT    NOT NULL,
    uses         INTEGER NOT NULL,
    used         INTEGER NOT NULL DEFAULT 0,
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL,
    withdrawn_ms INTEGER
) STRICT;

-- The key of each drone that joined with one.
CREATE TABLE drone_keys (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER NOT NULL REFERENCES tenants (id),
    drone_id    TEXT    NOT NULL,
    digest      BLOB    NOT NULL UNIQUE,
    -- Takes the place of digest when it is first used.
    next_digest BLOB    UNIQUE,
    -- A row of invites; it may be gone.
    invite      INTEGER NOT NULL,
    enrolled_ms INTEGER NOT NULL,
    rotated_ms  INTEGER,
    -- Set: the drone is asked for a new key.
    rotate_ms   INTEGER,
    revoked_ms  INTEGER,
    -- Uses of the key after it was revoked.
    refused     INTEGER NOT NULL DEFAULT 0,
    refused_ms  INTEGER,
    UNIQUE (tenant_id, drone_id)
) STRICT;
