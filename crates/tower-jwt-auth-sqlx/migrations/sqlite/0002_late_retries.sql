-- Version 2: late retries are counted.

-- The number of successive generations with a late retry, including `late_retry`.
ALTER TABLE tower_jwt_auth_sessions ADD COLUMN late_retry_length INTEGER;

UPDATE tower_jwt_auth_meta SET version = 2;
