-- The beginning of every script but preflight.lua. Its first two arguments are the root of the keys and the version of
-- the data. The others are those of the script.
--
-- A script is one transaction, but an error does not undo earlier writes. A script therefore reads and checks
-- everything before it writes. Numbers in Lua are doubles, which are exact up to 2^53. Times and generations stay the
-- decimal texts that they arrive as. Doubles only compare times: in the far future a millisecond does not matter.
local META, OVER, LOG, UNTIL, REVOKED, HEARTBEATS = unpack(KEYS)
local ROOT, SCHEMA_VERSION = ARGV[1], ARGV[2]

local version = redis.call('HGET', META, 'version')
if version and version ~= SCHEMA_VERSION then
  error({err = 'VERSION the data have version ' .. version})
end

local time = redis.call('TIME')
-- The server's time in milliseconds since 1970. It is constant during a script.
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function to_text(number)
  return string.format('%.0f', number)
end

-- Compares two non-negative integers of any length.
local function is_less(a, b)
  return #a < #b or (#a == #b and a < b)
end

local function min_time(a, b)
  if tonumber(b) < tonumber(a) then return b end
  return a
end

local function max_time(a, b)
  if tonumber(b) > tonumber(a) then return b end
  return a
end
