-- Moves a session to its next generation.
-- Arguments: sid, secret_hash, generation, grace, next_generation, idle (milliseconds that the session lives without a
-- refresh), access_until.
-- Returns the fields of the session, or nothing if the condition is not met.
local sid, secret_hash, generation, grace, next_generation, idle, access_until = unpack(ARGV, 3)
local row = read_for_update(sid, secret_hash, generation, grace)
if not row then return false end
row.idle_until = row.expires_at
if now + tonumber(idle) < tonumber(row.expires_at) then row.idle_until = to_text(now + tonumber(idle)) end
row.access_until = max_time(row.access_until, access_until)

local key = session_key(sid)
redis.call('HSET', key, 'generation', next_generation, 'rotated_at', to_text(now),
  'idle_until', row.idle_until, 'access_until', row.access_until)
redis.call('ZADD', OVER, over_at(row), sid)
return redis.call('HGETALL', key)
