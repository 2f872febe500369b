-- Ends one session.
-- Arguments: selector ('by_id', 'by_token' or 'owned'), sid, secret_hash (for 'by_token'), issuer and subject (for
-- 'owned'), reason.
-- Returns the revocations: one, or none if no session was ended.
local selector, sid, secret_hash, issuer, subject, reason = unpack(ARGV, 3)

local function is_selected(row)
  if selector == 'by_token' then return row.secret_hash == secret_hash end
  if selector == 'owned' then return row.issuer == issuer and row.subject == subject end
  return selector == 'by_id'
end

local row = read_row(sid)
local ended = {}
if row and not row.ended_at and is_selected(row) then ended[1] = end_session(row, reason) end
touch_for_wait()
return ended
