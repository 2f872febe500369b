-- Adds a session and applies the limit of its owner.
-- Arguments: sid, max (empty for no limit), rejects_new (0 or 1), max_ended, max_counted, then the names and values of
-- the session's fields.
-- Returns the outcome ('inserted', 'conflict' or 'limit') and the revocations of the sessions that it ended.
local sid, max, rejects_new = ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local max_ended, max_counted = tonumber(ARGV[6]), tonumber(ARGV[7])
local row = {sid = sid}
for i = 8, #ARGV, 2 do
  row[ARGV[i]] = ARGV[i + 1]
end
local key, owner = session_key(sid), owner_key(row.issuer, row.subject)

if redis.call('EXISTS', key) == 1 then return {'conflict', {}} end
-- The oldest sessions come first, so the ones that may have to end are among those that are counted.
local others = max and live_sessions(owner, '-inf', max_counted) or {}
local surplus = max and #others + 1 - max or 0
if rejects_new and surplus > 0 then return {'limit', {}} end

redis.call('HSET', key, unpack(ARGV, 8))
redis.call('ZADD', OVER, over_at(row), sid)
local number = redis.call('HINCRBY', META, 'added', 1)
if not row.ended_at then redis.call('ZADD', owner, number, sid) end
local ended = {}
for i = 1, math.min(surplus, #others, max_ended) do
  ended[i] = end_session(others[i], 'limit')
end
return {'inserted', ended}
