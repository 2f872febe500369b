-- ARGV: five values for each entry. Kind, issuer, name, until, issued before (empty but for a subject); or
-- `heartbeat`, node, beat, when, nothing.
for i = 3, #ARGV, 5 do
  local kind, a, b, c, d = unpack(ARGV, i, i + 4)
  if kind == 'heartbeat' then
    local known = redis.call('HGET', BEATS, a)
    -- One that was under way for long does not take the place of a newer one.
    if not known or less(string.match(known, '^%d*'), b) then
      redis.call('HSET', BEATS, a, b .. ':' .. c)
    end
  else
    revoke(kind, a, b, c, kind == 'subject' and d or nil)
  end
end
