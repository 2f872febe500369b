-- The name of a revocation; the length keeps an issuer from running into what follows it.
local function revoked_field(kind, issuer, name)
  return kind .. ':' .. #issuer .. ':' .. issuer .. ':' .. name
end

-- Writes a revocation to the log, and to what `is_revoked` asks. There it is `until`, and for a subject
-- `until issued_before`, the latest of each: once an entry's `until` is over, so are the tokens it concerned.
local function revoke(kind, issuer, name, till, issued_before)
  local entry = {'kind', kind, 'issuer', issuer, 'name', name, 'until', till}
  if issued_before then
    entry[9], entry[10] = 'issued_before', issued_before
  end
  local id = redis.call('XADD', LOG, '*', unpack(entry))
  redis.call('ZADD', UNTIL, till, id)

  local field = revoked_field(kind, issuer, name)
  local known = redis.call('HGET', REVOKED, field)
  if known then
    local known_till, known_before = string.match(known, '^(%S+) ?(%S*)$')
    till = later(till, known_till)
    if issued_before then issued_before = later(issued_before, known_before) end
  end
  redis.call('HSET', REVOKED, field, issued_before and till .. ' ' .. issued_before or till)
end
