#!lua
-- Raises counts to what they must be at least; returns how many were lower.
-- KEYS: the hash. ARGV: its life in milliseconds or 0, then field and number of each count.
local raised = 0
for at = 2, #ARGV, 2 do
  local stored = tonumber(redis.call('HGET', KEYS[1], ARGV[at]) or '0') or 0
  if stored < tonumber(ARGV[at + 1]) then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
    raised = raised + 1
  end
end
if raised > 0 and tonumber(ARGV[1]) > 0 and redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return raised
