-- Retention, the pair of migrations/sqlite/0016_retention.sql. Expands only: the release before goes on without a look
-- at it.

-- Records of the profile that were removed, ever: tells a writer that rows it remembers may be gone.
ALTER TABLE counters ADD COLUMN expired bigint NOT NULL DEFAULT 0;
-- Reads as of an earlier time, in Unix milliseconds, lack records that were removed. Null: none were.
ALTER TABLE counters ADD COLUMN horizon_ms bigint;

-- Finds whether a set is still of any batch.
CREATE INDEX batches_of_set ON batches (record_set) WHERE record_set IS NOT NULL;
