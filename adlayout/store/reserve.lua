#!lua
-- Who may stand on a page. Reads everything before the first write, because Redis rolls nothing back.
-- KEYS: totals, day, leases, revision; then the reader's key of this period and of the one before, if there is a
-- reader; then the memo, if there is one.
-- ARGV[1], JSON: attempts (see counts.Attempt), reader, memo, why, hold_ms, shards, shard, day_ms (a day hash's life).
-- Returns: JSON {picks, bucket, refused}, and the revision.
local ask = cjson.decode(ARGV[1])
local null = cjson.null
local keys = { f = KEYS[1], d = KEYS[2], u = ask.reader and KEYS[5] or nil }
local before = ask.reader and KEYS[6] ~= KEYS[5] and KEYS[6] or nil
local memo = ask.memo and KEYS[ask.reader and 7 or 5] or nil
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = math.floor(now / ask.hold_ms)
local revision = redis.call('GET', KEYS[4]) or '0'

if memo then
  local answer = redis.call('GET', memo)
  if answer then return { answer, revision } end
end

-- What is held: of the bucket that counts as this one, and of the one before. After a failover the clock may be a
-- little behind that of the server which wrote.
local function holds(text)
  local at, newest, older = string.match(text or '', '^(%d+)|(%d+)|(%d+)$')
  at = tonumber(at)
  if at == bucket or at == bucket + 1 then return at, tonumber(newest), tonumber(older) end
  if at == bucket - 1 then return bucket, 0, tonumber(newest) end
  return bucket, 0, 0
end

local function window(key, field)
  local count, ends = string.match(redis.call('HGET', key, field) or '', '^(%d+)|(%d+)$')
  ends = tonumber(ends)
  if not ends or ends <= now then return 0, nil end
  return tonumber(count), ends
end

-- Each (ledger, field) is read once: done, held, what is held anew, and until when a reader's count lasts.
local known = {}
local function budget(ledger, field)
  local name = ledger .. field
  local found = known[name]
  if found then return found end
  local key = keys[ledger]
  -- Whoever has no key of a reader has no room in his budgets either.
  if not key then return { counted = 0, closed = true } end
  local at, newest, older = holds(redis.call('HGET', key, field .. ':h'))
  found = { key = key, field = field, at = at, newest = newest, older = older, fresh = 0, counted = newest + older }
  if ledger == 'u' then
    local count, ends = window(key, field)
    found.ends = ends
    if before then
      local _, n, o = holds(redis.call('HGET', before, field .. ':h'))
      local older_count, older_ends = window(before, field)
      count = count + older_count + n + o
      found.ends = ends or older_ends
    end
    found.counted = found.counted + count
  else
    found.counted = found.counted + (tonumber(redis.call('HGET', key, field) or '0') or 0)
  end
  known[name] = found
  return found
end

-- How much of a budget is this shard's: its lease, or an even share. A lease that was given of a larger budget
-- shrinks with it.
local function most_here(ledger, field, most)
  if ask.shards == 1 or ledger == 'u' then return most end
  local lease, _, whole = string.match(
    redis.call('HGET', KEYS[3], ledger == 'd' and ask.day .. ':' .. field or field) or '', '^(%d+)|(%d+)|(%d+)$')
  if not lease then return math.floor(most / ask.shards) + (ask.shard < most % ask.shards and 1 or 0) end
  lease, whole = tonumber(lease), tonumber(whole)
  if whole > most then return math.floor(lease * most / whole) end
  return math.min(most, lease)
end

local refused = {}
local function has_room(number, limits, wanted)
  local room = true
  for at, limit in ipairs(limits) do
    local ledger, field, most = limit[1], limit[2], limit[3]
    local found = budget(ledger, field)
    if found.closed or found.counted + wanted > most_here(ledger, field, most) then
      room = false
      if not ask.why then return false end
      refused[#refused + 1] = { number - 1, at - 1, found.counted, found.ends or null }
    end
  end
  return room
end

local slots, creatives, owners, page = {}, {}, {}, {}
local function fits_page(fills, flight, once, labels, caps)
  for _, fill in ipairs(fills) do
    if slots[fill[1]] or once and creatives[fill[2]] then return false end
  end
  for _, label in ipairs(labels) do
    if owners[label] ~= nil and owners[label] ~= flight then return false end
  end
  for _, cap in ipairs(caps) do
    if (page[cap[1]] or 0) + #fills > cap[2] then return false end
  end
  return true
end

local picks, held = {}, {}
local function take(fills, flight, labels, caps, limits)
  for _, fill in ipairs(fills) do
    slots[fill[1]], creatives[fill[2]] = true, true
    picks[#picks + 1] = { fill[1], fill[2], flight }
  end
  for _, label in ipairs(labels) do owners[label] = flight end
  for _, cap in ipairs(caps) do page[cap[1]] = (page[cap[1]] or 0) + #fills end
  for _, limit in ipairs(limits) do
    local found = budget(limit[1], limit[2])
    found.counted = found.counted + #fills
    if limit[6] then
      if found.fresh == 0 then held[#held + 1] = found end
      found.fresh = found.fresh + #fills
    end
  end
end

for number, attempt in ipairs(ask.attempts) do
  local fills, flight, once, labels, caps, limits = unpack(attempt)
  if fits_page(fills, flight, once, labels, caps) and has_room(number, limits, #fills) then
    take(fills, flight, labels, caps, limits)
  end
end

for _, found in ipairs(held) do
  local text = string.format('%.0f|%.0f|%.0f', found.at, found.newest + found.fresh, found.older)
  redis.call('HSET', found.key, found.field .. ':h', text)
  local life = found.key == keys.u and ask.hold_ms * 2 or found.key == keys.d and ask.day_ms or 0
  if life > 0 and redis.call('PTTL', found.key) < (found.key == keys.u and life or 0) then
    redis.call('PEXPIRE', found.key, string.format('%.0f', life))
  end
end
local answer = cjson.encode({ picks, bucket, refused })
if memo then redis.call('SET', memo, answer, 'PX', string.format('%.0f', ask.hold_ms)) end
return { answer, revision }
