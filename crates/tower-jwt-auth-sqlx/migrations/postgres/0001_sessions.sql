-- Sessions and revocations of tower-jwt-auth, version 1. Times are milliseconds since 1970-01-01T00:00:00Z.
-- PostgreSQL does not store NUL in texts, so NUL is written as \0 and the backslash as \\.

CREATE TABLE tower_jwt_auth_meta (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    version INTEGER NOT NULL
);
INSERT INTO tower_jwt_auth_meta (version) VALUES (1);

-- Unlogged, and therefore empty after a crash or a failover: readers then read the log from the start.
CREATE UNLOGGED TABLE tower_jwt_auth_run (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    incarnation UUID NOT NULL DEFAULT gen_random_uuid()
);

CREATE TABLE tower_jwt_auth_sessions (
    -- The order in which the sessions were added.
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    idle_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    access_until BIGINT NOT NULL,
    late_retry BIGINT,
    ended_at BIGINT,
    end_reason TEXT,
    auth_time BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    claims TEXT NOT NULL,
    user_agent TEXT,
    address TEXT,
    -- The time at which the session and its last access token have ended, in steps of 18 hours: a refresh seldom
    -- changes the step, and then writes no index (a heap-only tuple).
    over_step BIGINT NOT NULL GENERATED ALWAYS AS (
        GREATEST(access_until, LEAST(ended_at, idle_until, expires_at)) >> 26
    ) STORED
) WITH (fillfactor = 80);
-- Hash indexes, because a btree index stores no text of more than about 2,700 bytes.
CREATE INDEX tower_jwt_auth_sessions_subject ON tower_jwt_auth_sessions USING hash (subject)
    WHERE ended_at IS NULL;
CREATE INDEX tower_jwt_auth_sessions_over ON tower_jwt_auth_sessions (over_step);

CREATE TABLE tower_jwt_auth_log (
    -- Transactions do not commit in the order in which they begin: readers ask which ones their snapshot contained.
    xid XID8 NOT NULL DEFAULT pg_current_xact_id(),
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL CHECK (kind IN ('token', 'session', 'subject', 'heartbeat')),
    issuer TEXT NOT NULL,
    -- The ID of the token, session or node, or the subject.
    name TEXT NOT NULL,
    issued_before BIGINT,
    beat BIGINT,
    until BIGINT NOT NULL,
    PRIMARY KEY (xid, number)
);
CREATE INDEX tower_jwt_auth_log_name ON tower_jwt_auth_log USING hash (name);
CREATE INDEX tower_jwt_auth_log_until ON tower_jwt_auth_log (until);
