-- ARGV: how long ago in milliseconds, how many at most. How many were removed.
local before = text(now - tonumber(ARGV[3]))
local over = redis.call('ZRANGEBYSCORE', OVER, '-inf', '(' .. before, 'LIMIT', 0, ARGV[4])
for _, sid in ipairs(over) do
  local key = session_key(sid)
  local owner = redis.call('HMGET', key, 'issuer', 'subject')
  if owner[1] and owner[2] then redis.call('ZREM', owner_key(owner[1], owner[2]), sid) end
  redis.call('DEL', key)
  redis.call('ZREM', OVER, sid)
end
return #over
