-- ARGV: which one, sid, the hash of the secret, issuer, subject (each empty where it does not matter), the reason.
-- What was revoked.
local which, sid, secret_hash, issuer, subject, reason = unpack(ARGV, 3)

local function is_meant(row)
  if which == 'presented' then return row.secret_hash == secret_hash end
  if which == 'owned' then return row.issuer == issuer and row.subject == subject end
  return which == 'one'
end

local row = read_row(sid)
local ended = {}
if row and not row.ended_at and is_meant(row) then ended[1] = end_session(row, reason) end
leave_mark()
return ended
