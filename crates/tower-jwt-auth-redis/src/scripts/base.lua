-- What every script of the store begins with.
--
-- A script is one transaction, but what it wrote before an error stays: each reads and judges everything before
-- it writes anything. Numbers in Lua are doubles, exact to 2^53 only. Times and generations are kept as the
-- decimal texts they came as; doubles are for comparing times, where a millisecond in a far future matters not.
local META, OVER, LOG, UNTIL, REVOKED, BEATS = unpack(KEYS)
local ROOT, SCHEMA = ARGV[1], ARGV[2]

local version = redis.call('HGET', META, 'version')
if version and version ~= SCHEMA then
  error({err = 'VERSION the data is of version ' .. version})
end

local time = redis.call('TIME')
-- Milliseconds by the server's clock, the same all through a script.
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function text(number)
  return string.format('%.0f', number)
end

-- Of whole numbers without a sign, however long.
local function less(a, b)
  return #a < #b or (#a == #b and a < b)
end

local function sooner(a, b)
  if tonumber(b) < tonumber(a) then return b end
  return a
end

local function later(a, b)
  if tonumber(b) > tonumber(a) then return b end
  return a
end
