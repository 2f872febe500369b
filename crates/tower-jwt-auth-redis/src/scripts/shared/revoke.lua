-- Returns the field of a target in the hash of revocations. The length separates the issuer from the ID.
local function revoked_field(kind, issuer, target_id)
  return kind .. ':' .. #issuer .. ':' .. issuer .. ':' .. target_id
end

-- Appends a revocation to the log, and adds it to the hash that is_revoked.lua queries. The value there is `until`, or
-- `until issued_before` for a subject. Each is the latest of all entries for the target: after the `until` of an entry,
-- the tokens that it revokes have expired.
local function revoke(kind, issuer, target_id, revoked_until, issued_before)
  local entry = {'kind', kind, 'issuer', issuer, 'target_id', target_id, 'until', revoked_until}
  if issued_before then
    entry[#entry + 1] = 'issued_before'
    entry[#entry + 1] = issued_before
  end
  local id = redis.call('XADD', LOG, '*', unpack(entry))
  redis.call('ZADD', UNTIL, revoked_until, id)

  local field = revoked_field(kind, issuer, target_id)
  local known = redis.call('HGET', REVOKED, field)
  if known then
    local known_until, known_issued_before = string.match(known, '^(%S+) ?(%S*)$')
    revoked_until = max_time(revoked_until, known_until)
    if issued_before then issued_before = max_time(issued_before, known_issued_before) end
  end
  redis.call('HSET', REVOKED, field, issued_before and revoked_until .. ' ' .. issued_before or revoked_until)
end
