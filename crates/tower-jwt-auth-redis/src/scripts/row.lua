-- Sessions: a hash each, and for each owner the set of those that have not been ended, in the order in which
-- they were added.
local function session_key(sid)
  return ROOT .. 'session:' .. sid
end

local function owner_key(issuer, subject)
  return ROOT .. 'owner:' .. #issuer .. ':' .. issuer .. ':' .. subject
end

local NEEDED = {
  'issuer', 'subject', 'secret_hash', 'generation', 'rotated_at', 'idle_until', 'expires_at', 'access_until',
}

-- What decides about a session, or nil where there is none.
local function read_row(sid)
  local key = session_key(sid)
  local found = redis.call('HMGET', key, 'late_retry', 'late_retry_length', 'ended_at', unpack(NEEDED))
  local row = {
    sid = sid, late_retry = found[1] or nil, late_retry_length = found[2] or nil, ended_at = found[3] or nil,
  }
  local complete = true
  for i, name in ipairs(NEEDED) do
    row[name] = found[i + 3]
    complete = complete and row[name]
  end
  complete = complete and tonumber(row.rotated_at) and tonumber(row.idle_until) and tonumber(row.expires_at)
    and tonumber(row.access_until) and (not row.ended_at or tonumber(row.ended_at))
  if complete then return row end
  if redis.call('EXISTS', key) == 0 then return nil end
  error({err = 'CORRUPT the session ' .. sid .. ' lacks a part'})
end

local function is_live(row)
  return not row.ended_at and now < tonumber(row.idle_until) and now < tonumber(row.expires_at)
end

-- Whether the session rotated, or was granted a late retry, less than `grace` ago. One that has never rotated has no
-- window.
local function is_in_window(row, grace)
  if row.generation == '0' then return false end
  local since = now - tonumber(row.rotated_at)
  -- A time further ahead is of a clock that was set back since.
  return since < tonumber(grace) and -since < tonumber(grace)
end

-- When the session and the last access token made for it are over.
local function over_at(row)
  local over = sooner(row.idle_until, row.expires_at)
  if row.ended_at then over = sooner(over, row.ended_at) end
  return later(over, row.access_until)
end

-- At most so many live sessions of an owner after a number, the oldest first. A page of names at a time: most owners
-- have few sessions.
local function live_sessions(owner, after, limit)
  local live = {}
  local from = after == '-inf' and after or '(' .. after
  while #live < limit do
    local page = redis.call('ZRANGEBYSCORE', owner, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 100)
    for i = 1, #page, 2 do
      local row = read_row(page[i])
      if row and is_live(row) and #live < limit then
        row.number = page[i + 1]
        live[#live + 1] = row
      end
    end
    if #page < 200 then break end
    from = '(' .. page[#page]
  end
  return live
end
