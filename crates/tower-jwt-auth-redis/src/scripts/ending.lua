-- Ends a session that has not been ended, and returns what was revoked.
local function end_session(row, reason)
  row.ended_at = text(now)
  redis.call('HSET', session_key(row.sid), 'ended_at', row.ended_at, 'end_reason', reason)
  redis.call('ZREM', owner_key(row.issuer, row.subject), row.sid)
  redis.call('ZADD', OVER, over_at(row), row.sid)
  revoke('session', row.issuer, row.sid, row.access_until)
  return {row.issuer, row.sid, row.access_until}
end

-- Whoever asks again because replicas did not answer in time finds nothing left to end. WAIT looks at what its
-- connection wrote last, so there has to be something.
local function leave_mark()
  redis.call('HINCRBY', META, 'marks', 1)
end
