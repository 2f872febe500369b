-- Appends entries to the log.
-- Arguments: five for each entry. For a revocation: kind, issuer, target_id, until, issued_before (empty unless the
-- kind is `subject`). For a heartbeat: 'heartbeat', node, beat, at, an empty text.
for i = 3, #ARGV, 5 do
  if ARGV[i] == 'heartbeat' then
    local node, beat, at = unpack(ARGV, i + 1, i + 3)
    local known = redis.call('HGET', HEARTBEATS, node)
    -- A delayed heartbeat does not replace a newer one.
    if not known or is_less(string.match(known, '^%d*'), beat) then
      redis.call('HSET', HEARTBEATS, node, beat .. ':' .. at)
    end
  else
    local kind, issuer, target_id, revoked_until, issued_before = unpack(ARGV, i, i + 4)
    revoke(kind, issuer, target_id, revoked_until, kind == 'subject' and issued_before or nil)
  end
end
