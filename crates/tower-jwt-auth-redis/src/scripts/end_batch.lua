-- Ends the next sessions of an owner.
-- Arguments: issuer, subject, keep (a sid or empty), after (a number, or `-inf` for the first batch), through (the last
-- number, or empty for the newest session), limit, reason.
-- Returns `through`, `after` of the next batch (empty after the last one), and the revocations.
local issuer, subject, keep, after, through, limit, reason = unpack(ARGV, 3)
limit = tonumber(limit)
if through == '' then through = redis.call('HGET', META, 'added') or '0' end

local rows, next_after = {}, ''
local last = after
local from = after == '-inf' and after or '(' .. after
local page = redis.call('ZRANGEBYSCORE', owner_key(issuer, subject), from, through, 'WITHSCORES',
  'LIMIT', 0, limit + 1)
for i = 1, math.min(#page, 2 * limit), 2 do
  local row = read_row(page[i])
  if row and not row.ended_at and row.sid ~= keep then rows[#rows + 1] = row end
  last = page[i + 1]
end
if #page > 2 * limit then next_after = last end

local ended = {}
for i, row in ipairs(rows) do
  ended[i] = end_session(row, reason)
end
touch_for_wait()
return {through, next_after, ended}
