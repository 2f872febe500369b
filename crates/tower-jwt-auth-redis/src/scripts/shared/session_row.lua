-- Sessions. Each is a hash. A sorted set for each owner contains the sessions that have not been ended, in the order in
-- which they were added.
local function session_key(sid)
  return ROOT .. 'session:' .. sid
end

-- The length separates the issuer from the subject.
local function owner_key(issuer, subject)
  return ROOT .. 'owner:' .. #issuer .. ':' .. issuer .. ':' .. subject
end

local REQUIRED_FIELDS = {
  'issuer', 'subject', 'secret_hash', 'generation', 'rotated_at', 'idle_until', 'expires_at', 'access_until',
}

-- Returns the fields that scripts decide by, or nil if the session does not exist.
local function read_row(sid)
  local key = session_key(sid)
  local values = redis.call('HMGET', key, 'late_retry', 'late_retry_length', 'ended_at', unpack(REQUIRED_FIELDS))
  local row = {
    sid = sid, late_retry = values[1] or nil, late_retry_length = values[2] or nil, ended_at = values[3] or nil,
  }
  local is_valid = true
  for i, name in ipairs(REQUIRED_FIELDS) do
    row[name] = values[i + 3]
    is_valid = is_valid and row[name]
  end
  is_valid = is_valid and tonumber(row.rotated_at) and tonumber(row.idle_until) and tonumber(row.expires_at)
    and tonumber(row.access_until) and (not row.ended_at or tonumber(row.ended_at))
  if is_valid then return row end
  if redis.call('EXISTS', key) == 0 then return nil end
  error({err = 'CORRUPT a field of the session ' .. sid .. ' is missing or malformed'})
end

local function is_live(row)
  return not row.ended_at and now < tonumber(row.idle_until) and now < tonumber(row.expires_at)
end

-- Returns whether the session rotated, or granted a late retry, less than `grace` milliseconds ago. A session that has
-- never rotated has no window.
local function is_in_window(row, grace)
  if row.generation == '0' then return false end
  local elapsed = now - tonumber(row.rotated_at)
  -- A later time is that of a clock that was set back.
  return elapsed < tonumber(grace) and -elapsed < tonumber(grace)
end

-- Returns the session if it may advance or grant a late retry: it is live, outside of its grace window, and has this
-- secret and generation. Returns nil otherwise.
local function read_for_update(sid, secret_hash, generation, grace)
  local row = read_row(sid)
  if row and row.secret_hash == secret_hash and row.generation == generation and is_live(row)
    and not is_in_window(row, grace) then
    return row
  end
end

-- Returns the time at which the session and its last access token are over.
local function over_at(row)
  local over = min_time(row.idle_until, row.expires_at)
  if row.ended_at then over = min_time(over, row.ended_at) end
  return max_time(over, row.access_until)
end

-- Returns at most `limit` live sessions of an owner after a number (`-inf` for the first), the oldest first. Reads the
-- set in pages, since most owners have few sessions.
local function live_sessions(owner, after, limit)
  local PAGE = 100
  local live = {}
  local from = after == '-inf' and after or '(' .. after
  while #live < limit do
    local page = redis.call('ZRANGEBYSCORE', owner, from, '+inf', 'WITHSCORES', 'LIMIT', 0, PAGE)
    for i = 1, #page, 2 do
      local row = read_row(page[i])
      if row and is_live(row) and #live < limit then
        row.number = page[i + 1]
        live[#live + 1] = row
      end
    end
    if #page < 2 * PAGE then break end
    from = '(' .. page[#page]
  end
  return live
end
