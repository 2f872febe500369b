-- Ends the next sessions of all owners, and restarts the log.
-- Arguments: incarnation (empty after the first batch), scan (the cursor of ZSCAN, 0 for the first batch), count.
-- Returns the cursor for the next batch (0 after the last one), the number of sessions that it ended, and the number of
-- those that it could not read.
local incarnation, scan, count = unpack(ARGV, 3)
-- The latest time that is exact as a double and fits into 64 bits.
local MAX_TIME = 2^63 - 1024
if incarnation ~= '' then
  redis.call('HSET', META, 'version', SCHEMA_VERSION, 'incarnation', incarnation)
end
local page = redis.call('ZSCAN', OVER, scan, 'COUNT', count)
local rows, unreadable = {}, 0
for i = 1, #page[2], 2 do
  -- A session that cannot be read does not keep the others alive.
  local is_read, row = pcall(read_row, page[2][i])
  if not is_read then
    unreadable = unreadable + 1
  elseif row and not row.ended_at then
    rows[#rows + 1] = row
  end
end
for _, row in ipairs(rows) do
  -- Access tokens that were issued after the backup have the same lifetime as those that the row covers.
  local key = session_key(row.sid)
  local lifetime = tonumber(row.access_until) - tonumber(row.rotated_at)
  row.access_until = max_time(row.access_until, to_text(math.min(now + lifetime, MAX_TIME)))
  redis.call('HSET', key, 'access_until', row.access_until)
  end_session(row, 'logout')
end
touch_for_wait()
return {page[1], #rows, unreadable}
