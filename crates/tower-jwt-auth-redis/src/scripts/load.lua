-- ARGV: sid. The time, and the parts of the session.
return {text(now), redis.call('HGETALL', session_key(ARGV[3]))}
