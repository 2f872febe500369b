-- Version 2: late retries are counted.

-- In how many generations running there was a late retry, the one in `late_retry` included.
ALTER TABLE tower_jwt_auth_sessions ADD COLUMN late_retry_length BIGINT;

UPDATE tower_jwt_auth_meta SET version = 2;
