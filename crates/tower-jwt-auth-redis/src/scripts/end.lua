-- ARGV: which ones, sid, the hash of the secret, issuer, subject (each empty where it does not matter), the
-- reason. What was revoked.
local which, sid, secret_hash, issuer, subject, reason = unpack(ARGV, 3)
local chosen = {sid}
if which == 'all' or which == 'others' then
  chosen = redis.call('ZRANGE', owner_key(issuer, subject), 0, -1)
end

local function is_meant(row)
  if which == 'one' or which == 'all' then return true end
  if which == 'presented' then return row.secret_hash == secret_hash end
  if which == 'owned' then return row.issuer == issuer and row.subject == subject end
  return which == 'others' and row.sid ~= sid
end

local rows = {}
for _, candidate in ipairs(chosen) do
  local row = read_row(candidate)
  if row and not row.ended_at and is_meant(row) then rows[#rows + 1] = row end
end
local ended = {}
for i, row in ipairs(rows) do
  ended[i] = end_session(row, reason)
end
leave_mark()
return ended
