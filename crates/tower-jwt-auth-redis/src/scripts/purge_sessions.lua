-- Removes sessions that have been over for longer than `older_than` milliseconds.
-- Arguments: older_than, limit.
-- Returns the number of sessions that it removed.
local older_than, limit = unpack(ARGV, 3)
local before = to_text(now - tonumber(older_than))
local over = redis.call('ZRANGEBYSCORE', OVER, '-inf', '(' .. before, 'LIMIT', 0, limit)
for _, sid in ipairs(over) do
  local key = session_key(sid)
  local owner = redis.call('HMGET', key, 'issuer', 'subject')
  if owner[1] and owner[2] then redis.call('ZREM', owner_key(owner[1], owner[2]), sid) end
  redis.call('DEL', key)
  redis.call('ZREM', OVER, sid)
end
return #over
