-- Version 3: the column `name` of the log is named for its content, the ID of the target. The index follows.

ALTER TABLE tower_jwt_auth_log RENAME COLUMN name TO target_id;
-- SQLite cannot rename an index.
DROP INDEX tower_jwt_auth_log_name;
CREATE INDEX tower_jwt_auth_log_target ON tower_jwt_auth_log (target_id);

UPDATE tower_jwt_auth_meta SET version = 3;
