#!lua flags=no-writes
-- The server's time in milliseconds and a hash, as of one moment. KEYS: the hash.
local time = redis.call('TIME')
return { time[1] * 1000 + math.floor(time[2] / 1000), redis.call('HGETALL', KEYS[1]) }
