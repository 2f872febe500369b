-- ARGV: sid, the most sessions or nothing, whether the limit refuses, how many end at most, how many to count, then
-- the parts and their values.
local sid, most, refuses = ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local max_ended, max_counted = tonumber(ARGV[6]), tonumber(ARGV[7])
local row = {sid = sid}
for i = 8, #ARGV, 2 do
  row[ARGV[i]] = ARGV[i + 1]
end
local key, owner = session_key(sid), owner_key(row.issuer, row.subject)

if redis.call('EXISTS', key) == 1 then return {'conflict', {}} end
-- The oldest live ones come first, so those that may have to end are among those that are counted.
local others = most and live_sessions(owner, '-inf', max_counted) or {}
local surplus = most and #others + 1 - most or 0
if refuses and surplus > 0 then return {'limit', {}} end

redis.call('HSET', key, unpack(ARGV, 8))
redis.call('ZADD', OVER, over_at(row), sid)
local number = redis.call('HINCRBY', META, 'added', 1)
if not row.ended_at then redis.call('ZADD', owner, number, sid) end
local ended = {}
for i = 1, math.min(surplus, #others, max_ended) do
  ended[i] = end_session(others[i], 'limit')
end
return {'added', ended}
