-- ARGV: sid, the hash of the secret, the generation that is retried, the one before it (or itself, if it is the
-- first), the one after it, the `exp` of the access token. The parts of the session, or nothing where the retry
-- does not apply.
local sid, secret_hash, retried, before, current, access_until = unpack(ARGV, 3)
local row = read_row(sid)
if not row or row.generation ~= current or row.secret_hash ~= secret_hash or not is_live(row) then
  return false
end
-- One client may lose one answer; two generations running is a second client.
local granted = row.late_retry
if granted and granted ~= retried and not less(granted, before) then return false end
row.access_until = later(row.access_until, access_until)

local key = session_key(sid)
redis.call('HSET', key, 'late_retry', retried, 'access_until', row.access_until)
redis.call('ZADD', OVER, over_at(row), sid)
return redis.call('HGETALL', key)
