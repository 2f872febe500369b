-- ARGV: a new incarnation or nothing, where the walk through all sessions has come, how many to look at. Where
-- to go on, how many were ended, and how many make no sense.
if ARGV[3] ~= '' then
  redis.call('HSET', META, 'version', SCHEMA, 'incarnation', ARGV[3])
end
local page = redis.call('ZSCAN', OVER, ARGV[4], 'COUNT', ARGV[5])
local rows, senseless = {}, 0
for i = 1, #page[2], 2 do
  -- One that cannot be read is no reason to let the others live.
  local is_read, row = pcall(read_row, page[2][i])
  if not is_read then
    senseless = senseless + 1
  elseif row and not row.ended_at then
    rows[#rows + 1] = row
  end
end
for _, row in ipairs(rows) do
  -- The access tokens that were made since the backup live as long as those that the row knows of.
  local key = session_key(row.sid)
  local rotated_at = tonumber(redis.call('HGET', key, 'rotated_at') or '') or now
  row.access_until = later(row.access_until, text(now + tonumber(row.access_until) - rotated_at))
  redis.call('HSET', key, 'access_until', row.access_until)
  end_session(row, 'logout')
end
leave_mark()
return {page[1], #rows, senseless}
