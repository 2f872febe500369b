-- ARGV: sid, the hash of the secret, the generation that must be current, the next one, how long the session
-- lives idle, the `exp` of the access token, the grace window. The parts of the session, or nothing where the step
-- does not apply.
local sid, secret_hash, from, next_generation, idle, access_until, grace = unpack(ARGV, 3)
local row = read_row(sid)
if not row or row.generation ~= from or row.secret_hash ~= secret_hash or not is_live(row)
  or is_in_window(row, grace) then
  return false
end
row.idle_until = row.expires_at
if now + tonumber(idle) < tonumber(row.expires_at) then row.idle_until = text(now + tonumber(idle)) end
row.access_until = later(row.access_until, access_until)

local key = session_key(sid)
redis.call('HSET', key, 'generation', next_generation, 'rotated_at', text(now),
  'idle_until', row.idle_until, 'access_until', row.access_until)
redis.call('ZADD', OVER, over_at(row), sid)
return redis.call('HGETALL', key)
