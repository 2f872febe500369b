-- Arguments: sid.
-- Returns the time and the fields of the session.
return {to_text(now), redis.call('HGETALL', session_key(ARGV[3]))}
