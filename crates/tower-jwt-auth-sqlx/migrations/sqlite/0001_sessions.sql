-- Sessions and revocations of tower-jwt-auth, version 1. Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE tower_jwt_auth_meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    -- Changes after a restore from a backup, so that readers of the log read it from the start.
    incarnation TEXT NOT NULL
) STRICT;
INSERT INTO tower_jwt_auth_meta VALUES (1, 1, lower(hex(randomblob(16))));

CREATE TABLE tower_jwt_auth_sessions (
    -- The order in which the sessions were added.
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    access_until INTEGER NOT NULL,
    late_retry INTEGER,
    ended_at INTEGER,
    end_reason TEXT,
    auth_time INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    claims TEXT NOT NULL,
    user_agent TEXT,
    address TEXT,
    -- The time at which the session and its last access token have ended.
    over_at INTEGER NOT NULL AS (
        max(access_until, min(coalesce(ended_at, idle_until), idle_until, expires_at))
    ) VIRTUAL
) STRICT;
CREATE INDEX tower_jwt_auth_sessions_subject ON tower_jwt_auth_sessions (subject) WHERE ended_at IS NULL;
-- In steps of 18 hours: a refresh seldom moves a session to another step.
CREATE INDEX tower_jwt_auth_sessions_over ON tower_jwt_auth_sessions (over_at >> 26);

CREATE TABLE tower_jwt_auth_log (
    -- Never reused, even if the table was empty: readers remember the last number that they read.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('token', 'session', 'subject', 'heartbeat')),
    issuer TEXT NOT NULL,
    -- The ID of the token, session or node, or the subject.
    name TEXT NOT NULL,
    issued_before INTEGER,
    beat INTEGER,
    until INTEGER NOT NULL
) STRICT;
CREATE INDEX tower_jwt_auth_log_name ON tower_jwt_auth_log (name);
CREATE INDEX tower_jwt_auth_log_until ON tower_jwt_auth_log (until);
