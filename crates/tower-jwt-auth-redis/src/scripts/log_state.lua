-- Returns the state of the log. A page is read with XRANGE between two calls: its entries belong to the log of these
-- calls if both return the same incarnation. A script that returned the entries itself would block the server for six
-- times as long.
-- Arguments: the incarnation and the entry ID of the cursor (both empty for the start of the log), an incarnation for a
-- log without one.
-- Returns nothing if the cursor is lost. Otherwise returns the incarnation, the ID of the last entry, and the
-- heartbeats.
local cursor_incarnation, cursor_id, new_incarnation = unpack(ARGV, 3)

-- `run_id` changes when the server starts, and `master_replid` when it becomes the primary. After either, entries may
-- be missing, and new entries may have their IDs. Both are therefore part of the incarnation.
local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
if not string.find(info, 'role:master', 1, true) then
  error({err = 'REPLICA this server is a replica'})
end
-- The data may have been flushed after the store was opened.
redis.call('HSETNX', META, 'version', SCHEMA_VERSION)
redis.call('HSETNX', META, 'incarnation', new_incarnation)
local incarnation = redis.call('HGET', META, 'incarnation')
  .. '.' .. string.match(info, 'run_id:(%w+)')
  .. '.' .. string.match(info, 'master_replid:(%w+)')

local last_id = '0-0'
if redis.call('EXISTS', LOG) == 1 then
  local stream = redis.call('XINFO', 'STREAM', LOG)
  for i = 1, #stream, 2 do
    if stream[i] == 'last-generated-id' then last_id = stream[i + 1] end
  end
end

local function is_before(a, b)
  local a_time, a_number = string.match(a, '^(%d+)-(%d+)$')
  local b_time, b_number = string.match(b, '^(%d+)-(%d+)$')
  return is_less(a_time, b_time) or (a_time == b_time and is_less(a_number, b_number))
end

if cursor_id ~= '' and (cursor_incarnation ~= incarnation or is_before(last_id, cursor_id)) then
  return false
end
return {incarnation, last_id, redis.call('HGETALL', HEARTBEATS)}
