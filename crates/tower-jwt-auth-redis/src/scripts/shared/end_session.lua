-- Ends a session that has not been ended. Returns its revocation: issuer, sid, until.
local function end_session(row, reason)
  row.ended_at = to_text(now)
  redis.call('HSET', session_key(row.sid), 'ended_at', row.ended_at, 'end_reason', reason)
  redis.call('ZREM', owner_key(row.issuer, row.subject), row.sid)
  redis.call('ZADD', OVER, over_at(row), row.sid)
  revoke('session', row.issuer, row.sid, row.access_until)
  return {row.issuer, row.sid, row.access_until}
end

-- Writes something on this connection, because WAIT waits for the connection's last write (in Redis 7.0 for its last
-- command). Without it, a call that is repeated on another connection and finds nothing to end would be acknowledged,
-- although no replica has the changes.
local function touch_for_wait()
  redis.call('HINCRBY', META, 'touches', 1)
end
