-- Arguments: issuer, subject, after (a number, or `-inf` for the first page), limit.
-- Returns the number, sid and fields of each live session after the number, the oldest first. Returns one session more
-- than `limit` if there is one.
local issuer, subject, after, limit = unpack(ARGV, 3)
local listed = {}
for i, row in ipairs(live_sessions(owner_key(issuer, subject), after, tonumber(limit) + 1)) do
  listed[i] = {row.number, row.sid, redis.call('HGETALL', session_key(row.sid))}
end
return listed
