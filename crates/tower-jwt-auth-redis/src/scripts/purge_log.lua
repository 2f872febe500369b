-- Removes log entries and heartbeats whose time passed more than `older_than` milliseconds ago.
-- Arguments: older_than, limit.
-- Returns the number of entries and heartbeats that it removed.
local before, limit = now - tonumber(ARGV[3]), tonumber(ARGV[4])
local expired = redis.call('ZRANGEBYSCORE', UNTIL, '-inf', '(' .. to_text(before), 'LIMIT', 0, limit)
for _, id in ipairs(expired) do
  local entry = redis.call('XRANGE', LOG, id, id)[1]
  if entry then
    local fields = {}
    for i = 1, #entry[2], 2 do
      fields[entry[2][i]] = entry[2][i + 1]
    end
    -- Entries of version 1 have a field `name` instead.
    local target_id = fields.target_id or fields.name
    -- A later entry for the same target may have extended its revocation.
    local field = revoked_field(fields.kind, fields.issuer, target_id)
    local known = redis.call('HGET', REVOKED, field)
    if known and tonumber(string.match(known, '^%S+')) < before then
      redis.call('HDEL', REVOKED, field)
    end
    redis.call('XDEL', LOG, id)
  end
  redis.call('ZREM', UNTIL, id)
end

local removed = #expired
local heartbeats = redis.call('HGETALL', HEARTBEATS)
for i = 1, #heartbeats, 2 do
  local node, at = heartbeats[i], string.match(heartbeats[i + 1], ':(.*)$')
  if removed < limit and tonumber(at) < before then
    redis.call('HDEL', HEARTBEATS, node)
    removed = removed + 1
  end
end
return removed
