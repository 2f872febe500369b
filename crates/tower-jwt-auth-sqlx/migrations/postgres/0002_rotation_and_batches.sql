-- Version 2: late retries are counted, and the sessions of a subject are read in pages and ended in batches.

-- The number of successive generations with a late retry, including `late_retry`.
ALTER TABLE tower_jwt_auth_sessions ADD COLUMN late_retry_length BIGINT;

-- The sessions of a subject in the order in which they were added. The index has a hash of the subject, because a
-- btree index stores no text of more than about 2,700 bytes.
CREATE INDEX tower_jwt_auth_sessions_owner
    ON tower_jwt_auth_sessions (hashtextextended(subject, 0), number) WHERE ended_at IS NULL;
DROP INDEX tower_jwt_auth_sessions_subject;

UPDATE tower_jwt_auth_meta SET version = 2;
