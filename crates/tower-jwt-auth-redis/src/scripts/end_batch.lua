-- ARGV: issuer, subject, a sid to keep or nothing, after which number (`-inf` for the first), through which one
-- (nothing for the last that there is), how many at most, the reason. Through which number, where the next batch
-- begins or nothing, and what was revoked.
local issuer, subject, keep, after, through, limit, reason = unpack(ARGV, 3)
limit = tonumber(limit)
if through == '' then through = redis.call('HGET', META, 'added') or '0' end

local rows, next_after = {}, ''
local last = after
local page = redis.call('ZRANGEBYSCORE', owner_key(issuer, subject), after == '-inf' and after or '(' .. after, through,
  'WITHSCORES', 'LIMIT', 0, limit + 1)
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
leave_mark()
return {through, next_after, ended}
