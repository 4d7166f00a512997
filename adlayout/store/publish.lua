#!lua
-- Writes inventory in one step and counts the revision up.
-- KEYS: campaigns, flights, creatives, revision.
-- ARGV: mode (merge, replace, seed), the revision expected or '', number of rows, then key index, id, text for each
-- row; what is left are key index and id of each row that goes.
-- All is checked before the first write, because Redis rolls nothing back.
local mode, expected, count = ARGV[1], ARGV[2], tonumber(ARGV[3])
for i = 1, 3 do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'hash' and kind ~= 'none' then return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' holds a ' .. kind) end
  if mode == 'seed' and kind == 'hash' then return -1 end
end
local kind = redis.call('TYPE', KEYS[4]).ok
local revision = kind == 'string' and redis.call('GET', KEYS[4]) or '0'
if kind ~= 'string' and kind ~= 'none' or not string.match(revision, '^%d+$') then
  return redis.error_reply('WRONGTYPE ' .. KEYS[4] .. ' holds no number')
end
if mode == 'seed' and kind == 'string' then return -1 end
if expected ~= '' and tonumber(expected) ~= tonumber(revision) then return -2 end
if mode == 'replace' then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
local at = 4
for _ = 1, count do
  redis.call('HSET', KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2])
  at = at + 3
end
while at < #ARGV do
  redis.call('HDEL', KEYS[tonumber(ARGV[at])], ARGV[at + 1])
  at = at + 2
end
return redis.call('INCR', KEYS[4])
