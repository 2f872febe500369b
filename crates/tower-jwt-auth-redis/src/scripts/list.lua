-- ARGV: issuer, subject. The names and the parts of their live sessions, in the order in which they were added.
local listed = {}
for _, sid in ipairs(redis.call('ZRANGE', owner_key(ARGV[3], ARGV[4]), 0, -1)) do
  local row = read_row(sid)
  if row and is_live(row) then
    listed[#listed + 1] = {sid, redis.call('HGETALL', session_key(sid))}
  end
end
return listed
