-- ARGV: how long ago in milliseconds, how many at most. How many were removed.
local before, limit = now - tonumber(ARGV[3]), tonumber(ARGV[4])
local over = redis.call('ZRANGEBYSCORE', UNTIL, '-inf', '(' .. text(before), 'LIMIT', 0, limit)
for _, id in ipairs(over) do
  local entry = redis.call('XRANGE', LOG, id, id)[1]
  if entry then
    local named = {}
    for i = 1, #entry[2], 2 do
      named[entry[2][i]] = entry[2][i + 1]
    end
    -- Another entry of the same name may matter for longer.
    local field = revoked_field(named.kind, named.issuer, named.name)
    local known = redis.call('HGET', REVOKED, field)
    if known and tonumber(string.match(known, '^%S+')) < before then
      redis.call('HDEL', REVOKED, field)
    end
    redis.call('XDEL', LOG, id)
  end
  redis.call('ZREM', UNTIL, id)
end

local removed = #over
local beats = redis.call('HGETALL', BEATS)
for i = 1, #beats, 2 do
  if removed < limit and tonumber(string.match(beats[i + 1], ':(.*)$')) < before then
    redis.call('HDEL', BEATS, beats[i])
    removed = removed + 1
  end
end
return removed
