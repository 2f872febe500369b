-- ARGV: how many at most, the incarnation and the id of the cursor (empty for the start), an incarnation for a
-- log that has none. Nothing where the cursor is lost; else the incarnation, where to read on, whether there is
-- more, the entries, and at the end of the log the heartbeats.
local limit, cursor_incarnation, cursor = tonumber(ARGV[3]), ARGV[4], ARGV[5]

-- A server's `run_id` changes when it starts, its `master_replid` when it becomes the primary: after either it
-- may lack what it once had, and entries have come in the place of others.
local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
if not string.find(info, 'role:master', 1, true) then
  error({err = 'REPLICA this server is a replica'})
end
-- All data may have been flushed while the store was in use.
redis.call('HSETNX', META, 'version', SCHEMA)
redis.call('HSETNX', META, 'incarnation', ARGV[6])
local incarnation = redis.call('HGET', META, 'incarnation')
  .. '.' .. string.match(info, 'run_id:(%w+)')
  .. '.' .. string.match(info, 'master_replid:(%w+)')

local last = '0-0'
if redis.call('EXISTS', LOG) == 1 then
  local stream = redis.call('XINFO', 'STREAM', LOG)
  for i = 1, #stream, 2 do
    if stream[i] == 'last-generated-id' then last = stream[i + 1] end
  end
end

local function is_before(a, b)
  local a_time, a_number = string.match(a, '^(%d+)-(%d+)$')
  local b_time, b_number = string.match(b, '^(%d+)-(%d+)$')
  return less(a_time, b_time) or (a_time == b_time and less(a_number, b_number))
end

local first = '-'
if cursor ~= '' then
  if cursor_incarnation ~= incarnation or is_before(last, cursor) then return false end
  first = '(' .. cursor
end

local entries = redis.call('XRANGE', LOG, first, '+', 'COUNT', limit + 1)
if #entries > limit then
  entries[#entries] = nil
  return {incarnation, entries[#entries][1], 1, entries, {}}
end
return {incarnation, last, 0, entries, redis.call('HGETALL', BEATS)}
