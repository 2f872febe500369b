-- Finds problems that would make calls fail later: data of another version or application, and commands that the user
-- may not run. A script that fails at such a command would keep its earlier writes.
-- Arguments: root, schema_version, incarnation for a log without one.
-- Returns 'ok'; or 'version' and the version; or 'type', the key and its type; or 'command', the command and its error.
local META = KEYS[1]
local ROOT, SCHEMA_VERSION, INCARNATION = ARGV[1], ARGV[2], ARGV[3]

local TYPES = {'hash', 'zset', 'stream', 'zset', 'hash', 'hash'}
for i, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= TYPES[i] then return {'type', key, found} end
end

local version = redis.call('HGET', META, 'version')
if version and version ~= '1' and version ~= SCHEMA_VERSION then return {'version', version} end

local HASH, SET, LOG = ROOT .. 'probe:hash', ROOT .. 'probe:set', ROOT .. 'probe:log'
local PROBES = {
  {'DEL', HASH, SET, LOG},
  {'EXISTS', HASH},
  {'HSET', HASH, 'field', '1'},
  {'HSETNX', HASH, 'field', '1'},
  {'HINCRBY', HASH, 'field', 1},
  {'HGET', HASH, 'field'},
  {'HMGET', HASH, 'field'},
  {'HGETALL', HASH},
  {'HDEL', HASH, 'field'},
  {'ZADD', SET, 1, 'member'},
  {'ZRANGE', SET, 0, -1},
  {'ZRANGEBYSCORE', SET, '-inf', '(1', 'LIMIT', 0, 1},
  {'ZSCAN', SET, 0, 'COUNT', 1},
  {'ZREM', SET, 'member'},
  {'XADD', LOG, '1-1', 'field', '1'},
  {'XRANGE', LOG, '-', '+', 'COUNT', 1},
  {'XREVRANGE', LOG, '+', '-', 'COUNT', 1},
  {'XREAD', 'COUNT', 1, 'STREAMS', LOG, '0-0'},
  {'XINFO', 'STREAM', LOG},
  {'XDEL', LOG, '1-1'},
  {'TIME'},
  {'INFO', 'server'},
  {'DEL', HASH, SET, LOG},
}
for _, probe in ipairs(PROBES) do
  local result = redis.pcall(unpack(probe))
  if type(result) == 'table' and result.err then
    redis.pcall('DEL', HASH, SET, LOG)
    return {'command', probe[1], result.err}
  end
end

local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
if not string.find(info, 'run_id:%w') or not string.find(info, 'master_replid:%w') then
  return {'command', 'INFO', 'the response lacks run_id or master_replid'}
end

if version == '1' then
  -- Version 2 names the target of a log entry `target_id`, not `name`. Entries of version 1 keep their field until they
  -- are purged: rewriting a log of any length would block the server. The other two have new names. Each node soon
  -- writes its next heartbeat.
  redis.call('DEL', ROOT .. 'beats')
  redis.call('HDEL', META, 'marks')
  redis.call('HSET', META, 'version', SCHEMA_VERSION)
end
redis.call('HSETNX', META, 'version', SCHEMA_VERSION)
redis.call('HSETNX', META, 'incarnation', INCARNATION)
return {'ok'}
