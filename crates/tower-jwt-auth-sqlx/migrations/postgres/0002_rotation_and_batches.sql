-- Version 2: late retries are counted, and the sessions of a subject are read and ended a part at a time.

-- In how many generations running there was a late retry, the one in `late_retry` included.
ALTER TABLE tower_jwt_auth_sessions ADD COLUMN late_retry_length BIGINT;

-- In the order in which they were added; a hash of the subject, since a btree takes no text beyond some 2,700 bytes.
CREATE INDEX tower_jwt_auth_sessions_owner
    ON tower_jwt_auth_sessions (hashtextextended(subject, 0), number) WHERE ended_at IS NULL;
DROP INDEX tower_jwt_auth_sessions_subject;

UPDATE tower_jwt_auth_meta SET version = 2;
