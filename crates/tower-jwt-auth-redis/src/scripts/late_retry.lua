-- Grants a late retry.
-- Arguments: sid, secret_hash, generation, grace, retried (the generation before), before_retried (the one before that,
-- empty for the first generation), access_until, max_running.
-- Returns the fields of the session, or nothing if the condition is not met.
local sid, secret_hash, generation, grace, retried, before_retried, access_until, max_running = unpack(ARGV, 3)
local row = read_for_update(sid, secret_hash, generation, grace)
if not row then return false end
-- A generation is retried once, and at most `max_running` consecutive generations are.
local last_retried = row.late_retry
if last_retried and not is_less(last_retried, retried) then return false end
local length = 1
if last_retried == before_retried then length = tonumber(row.late_retry_length or 1) + 1 end
if length > tonumber(max_running) then return false end
row.access_until = max_time(row.access_until, access_until)

local key = session_key(sid)
redis.call('HSET', key, 'late_retry', retried, 'late_retry_length', to_text(length), 'rotated_at', to_text(now),
  'access_until', row.access_until)
redis.call('ZADD', OVER, over_at(row), sid)
return redis.call('HGETALL', key)
