-- ARGV: four values for each key. Kind, issuer, name, issued at (empty but for a subject). 1 or 0.
for i = 3, #ARGV, 4 do
  local kind, issuer, name, issued_at = unpack(ARGV, i, i + 3)
  local known = redis.call('HGET', REVOKED, revoked_field(kind, issuer, name))
  if known then
    if kind ~= 'subject' then return 1 end
    local issued_before = string.match(known, '^%S+ (%S+)$')
    if tonumber(issued_at) < tonumber(issued_before) then return 1 end
  end
end
return 0
