-- Finds out at the start what would fail later: data of another version or making, and commands that the user
-- may not run, for a script that is stopped halfway leaves halves.
local META = KEYS[1]
local ROOT, SCHEMA, INCARNATION = ARGV[1], ARGV[2], ARGV[3]

local TYPES = {'hash', 'zset', 'stream', 'zset', 'hash', 'hash'}
for i, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= TYPES[i] then return {'type', key, found} end
end

local version = redis.call('HGET', META, 'version')
if version and version ~= SCHEMA then return {'version', version} end

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
  local answer = redis.pcall(unpack(probe))
  if type(answer) == 'table' and answer.err then
    redis.pcall('DEL', HASH, SET, LOG)
    return {'command', probe[1], answer.err}
  end
end

local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
if not string.find(info, 'run_id:%w') or not string.find(info, 'master_replid:%w') then
  return {'command', 'INFO', 'it does not tell run_id and master_replid'}
end

redis.call('HSETNX', META, 'version', SCHEMA)
redis.call('HSETNX', META, 'incarnation', INCARNATION)
return {'open'}
