-- Arguments: four for each key: kind, issuer, target_id, issued_at (empty unless the kind is `subject`).
-- Returns 1 if any of the keys is revoked, otherwise 0.
for i = 3, #ARGV, 4 do
  local kind, issuer, target_id, issued_at = unpack(ARGV, i, i + 3)
  local known = redis.call('HGET', REVOKED, revoked_field(kind, issuer, target_id))
  if known then
    if kind ~= 'subject' then return 1 end
    local issued_before = string.match(known, '^%S+ (%S+)$')
    if tonumber(issued_at) < tonumber(issued_before) then return 1 end
  end
end
return 0
