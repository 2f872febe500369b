-- ARGV: sid, the hash of the secret, the generation that is retried, the one before it (empty for the first), the
-- one after it, the `exp` of the access token, the grace window, the longest run. The parts of the session, or
-- nothing where the retry does not apply.
local sid, secret_hash, retried, before, current, access_until, grace, max_running = unpack(ARGV, 3)
local row = read_row(sid)
if not row or row.generation ~= current or row.secret_hash ~= secret_hash or not is_live(row)
  or is_in_window(row, grace) then
  return false
end
-- Once a generation, and in so many generations running.
local granted = row.late_retry
if granted and not less(granted, retried) then return false end
local length = 1
if granted == before then length = tonumber(row.late_retry_length or 1) + 1 end
if length > tonumber(max_running) then return false end
row.access_until = later(row.access_until, access_until)

local key = session_key(sid)
redis.call('HSET', key, 'late_retry', retried, 'late_retry_length', text(length), 'rotated_at', text(now),
  'access_until', row.access_until)
redis.call('ZADD', OVER, over_at(row), sid)
return redis.call('HGETALL', key)
