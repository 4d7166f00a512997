#!lua
-- A shard's part of each budget. See leases.py for why the order of its three steps keeps their sum within the budget.
-- KEYS: leases, totals, day.
-- ARGV[1], JSON: step, shards, shard, day, oldest (the first day that is kept), hold_ms, stamp and budgets, each {ledger, field, most, number}.
--   look: changes no lease. stamp: lowers each lease to its number, but not below what is spent of it, and marks it.
--   raise: sets each lease that still bears the stamp to its number.
-- Returns for each budget its lease and what is spent of it, done and held; `stamp` and `raise` return lease -1 where
-- another's stamp forbids. After `look` a stamp that shard 0 gives to nobody else stands at the end, 0 in other shards.
local ask = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = math.floor(now / ask.hold_ms)

local function spent(key, field)
  local at, newest, older = string.match(redis.call('HGET', key, field .. ':h') or '', '^(%d+)|(%d+)|(%d+)$')
  at = tonumber(at)
  local held = 0
  if at == bucket or at == bucket + 1 then held = newest + older elseif at == bucket - 1 then held = tonumber(newest) end
  return held + (tonumber(redis.call('HGET', key, field) or '0') or 0)
end

local function lease_of(name, most)
  local lease, stamp, whole = string.match(redis.call('HGET', KEYS[1], name) or '', '^(%d+)|(%d+)|(%d+)$')
  if not lease then return math.floor(most / ask.shards) + (ask.shard < most % ask.shards and 1 or 0), 0 end
  lease, whole = tonumber(lease), tonumber(whole)
  if whole > most then return math.floor(lease * most / whole), tonumber(stamp) end
  return math.min(most, lease), tonumber(stamp)
end

local function write(name, lease, most)
  redis.call('HSET', KEYS[1], name, string.format('%.0f|%.0f|%.0f', lease, ask.stamp, most))
end

local answer = {}
for at, budget in ipairs(ask.budgets) do
  local ledger, field, most, number = unpack(budget)
  local name = ledger == 'd' and ask.day .. ':' .. field or field
  local used = spent(ledger == 'd' and KEYS[3] or KEYS[2], field)
  local lease, stamp = lease_of(name, most)
  if ask.step == 'stamp' then
    if stamp > ask.stamp then
      lease = -1
    else
      lease = math.min(lease, math.max(number, used))
      write(name, lease, most)
    end
  elseif ask.step == 'raise' then
    if stamp == ask.stamp then
      lease = number
      write(name, lease, most)
    else
      lease = -1
    end
  end
  answer[at] = { lease, used }
end
if ask.step == 'look' then
  local given = 0
  if ask.shard == 0 then
    -- By the clock too, so that stamps go on growing where the last ones were lost with a server.
    local last = tonumber(redis.call('HGET', KEYS[1], '@stamp') or '0') or 0
    given = math.max(last + 1, time[1] * 1000000 + time[2])
    redis.call('HSET', KEYS[1], '@stamp', string.format('%.0f', given))
  end
  answer[#answer + 1] = string.format('%.0f', given)
end
if ask.step == 'stamp' then
  -- A day that is over has no budget any more.
  for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    local day = string.match(name, '^(%d%d%d%d%d%d%d%d):.+:')
    if day and tonumber(day) < tonumber(ask.oldest) then redis.call('HDEL', KEYS[1], name) end
  end
end
return answer
