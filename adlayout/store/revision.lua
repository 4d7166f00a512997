#!lua
-- Tells a shard of a revision, if it is newer than the one it knows. KEYS: the revision. ARGV: the new one.
local known = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if known < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
