-- ARGV: sid, the most sessions or nothing, whether the limit refuses, then the parts and their values.
local sid, most, refuses = ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local row = {sid = sid}
for i = 6, #ARGV, 2 do
  row[ARGV[i]] = ARGV[i + 1]
end
local key, owner = session_key(sid), owner_key(row.issuer, row.subject)

if redis.call('EXISTS', key) == 1 then return {'conflict', {}} end
local others = {}
for _, other in ipairs(most and redis.call('ZRANGE', owner, 0, -1) or {}) do
  local found = read_row(other)
  if found and is_live(found) then others[#others + 1] = found end
end
local surplus = most and #others + 1 - most or 0
if refuses and surplus > 0 then return {'limit', {}} end

redis.call('HSET', key, unpack(ARGV, 6))
redis.call('ZADD', OVER, over_at(row), sid)
local number = redis.call('HINCRBY', META, 'added', 1)
if not row.ended_at then redis.call('ZADD', owner, number, sid) end
local ended = {}
for i = 1, math.min(surplus, #others) do
  ended[i] = end_session(others[i], 'limit')
end
return {'added', ended}
