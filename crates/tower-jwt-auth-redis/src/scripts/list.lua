-- ARGV: issuer, subject, after which number (`-inf` for the first), how many at most. The numbers, names and parts of
-- their live sessions, in the order in which they were added, and one more than asked for where there is one.
local after, limit = ARGV[5], tonumber(ARGV[6])
local listed = {}
for i, row in ipairs(live_sessions(owner_key(ARGV[3], ARGV[4]), after, limit + 1)) do
  listed[i] = {row.number, row.sid, redis.call('HGETALL', session_key(row.sid))}
end
return listed
