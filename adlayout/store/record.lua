#!lua
-- Applies the lines of a spool that were not applied yet, each once, in their order.
-- KEYS: the spool's position, totals, stream; then whatever the lines name by its index.
-- ARGV[1], JSON: first (the position of the first line), start, hold_ms, token_ms, position_ms, stream_length,
-- lives (key index and milliseconds of each hash that must end), hashes (indexes of those that must be hashes),
-- targets (key index and field of everything that is counted or freed) and lines: each {happened, once, bucket, reader,
-- reader before, caps {field, window_ms}, counts (target, number, target, ...), frees (target, ...)}, where 0 or '' is
-- none. ARGV[2] and so on: the lines' texts.
-- Returns: the position that is applied, the time in milliseconds, and the fields that hold no number.
local ask = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local current = math.floor(now / ask.hold_ms)
local lines = #ARGV - 1
local function whole(number) return string.format('%.0f', number) end

-- Whatever would fail is looked at before the first write, because Redis rolls nothing back.
local function must_be(key, wanted)
  local kind = redis.call('TYPE', key).ok
  if kind ~= wanted and kind ~= 'none' then error({ err = 'WRONGTYPE ' .. key .. ' holds a ' .. kind }) end
end
must_be(KEYS[1], 'string')
must_be(KEYS[3], 'stream')
for _, index in ipairs(ask.hashes) do must_be(KEYS[index], 'hash') end

local stored = redis.call('GET', KEYS[1])
if stored and not string.match(stored, '^%d+$') then error({ err = 'WRONGTYPE ' .. KEYS[1] .. ' holds no number' }) end
local applied = tonumber(stored or ask.start and ask.first - 1 or 0)
if ask.first > applied + 1 or ask.first + lines - 1 <= applied then return { applied, now, {} } end

local now_text, token_ms, stream_length = whole(now), whole(ask.token_ms), whole(ask.stream_length)

-- A key of one reader or one page that holds something else harms nobody but him: so pcall.
local function is_new(happened, once)
  if happened == 0 then return true end
  local answer = redis.pcall('HSETNX', KEYS[happened], once, now_text)
  if answer == 1 then redis.call('PEXPIRE', KEYS[happened], token_ms) end
  return answer ~= 0
end

-- Gives back up to `number` places that were held in this bucket; returns how many there were.
local function free(key, field, bucket, number)
  local at, newest, older = string.match(redis.call('HGET', key, field .. ':h') or '', '^(%d+)|(%d+)|(%d+)$')
  if not at then return 0 end
  at, newest, older = tonumber(at), tonumber(newest), tonumber(older)
  local freed = 0
  if bucket == at then
    freed = math.min(number, newest)
    newest = newest - freed
  elseif bucket == at - 1 then
    freed = math.min(number, older)
    older = older - freed
  end
  if freed == 0 then return 0 end
  if newest + older == 0 then
    redis.call('HDEL', key, field .. ':h')
  else
    redis.call('HSET', key, field .. ':h', string.format('%.0f|%.0f|%.0f', at, newest, older))
  end
  return freed
end

local function read(key, field)
  local text = redis.pcall('HGET', key, field)
  if type(text) == 'table' then return nil end
  return text or ''
end

local function window(text)
  local count, ends = string.match(text, '^(%d+)|(%d+)$')
  ends = tonumber(ends)
  if not ends or ends <= now then return 0, nil end
  return tonumber(count), ends
end

-- A window starts with its first event and never slides; one that is open under the reader's former key ends there.
local function count_cap(key, former, field, window_ms, bucket)
  local text, older = read(key, field), former and read(former, field)
  if not text then return end
  local count, ends = window(text)
  if not ends and older then ends = select(2, window(older)) end
  ends = ends or now + window_ms
  redis.call('HSET', key, field, string.format('%.0f|%.0f', count + 1, ends))
  local life = math.max(ends - now, ask.hold_ms * 2)
  if redis.call('PTTL', key) < life then redis.call('PEXPIRE', key, whole(life)) end
  if bucket > 0 and free(key, field, bucket, 1) == 0 and older then free(former, field, bucket, 1) end
end

local function count_reader(reader, before, caps, bucket)
  if reader == 0 then return end
  local former = before ~= reader and KEYS[before] or nil
  for _, cap in ipairs(caps) do count_cap(KEYS[reader], former, cap[1], cap[2], bucket) end
end

-- Many lines count in the same fields, so they are summed up before they are written.
local sums, freed = {}, {}
local function add(counts)
  for at = 1, #counts, 2 do
    local target = counts[at]
    sums[target] = (sums[target] or 0) + counts[at + 1]
  end
end

local function give_back(frees, bucket)
  local of_bucket = freed[bucket] or {}
  freed[bucket] = of_bucket
  for _, target in ipairs(frees) do of_bucket[target] = (of_bucket[target] or 0) + 1 end
end

for at = applied - ask.first + 2, lines do
  local happened, once, bucket, reader, before, caps, counts, frees = unpack(ask.lines[at])
  if is_new(happened, once) then
    add(counts)
    if bucket > 0 then give_back(frees, bucket) end
    count_reader(reader, before, caps, bucket)
    if bucket > 0 and bucket < current - 1 then
      redis.call('XADD', KEYS[3], 'MAXLEN', '~', stream_length, '*', 'e', ARGV[at + 1], 'late', '1')
    else
      redis.call('XADD', KEYS[3], 'MAXLEN', '~', stream_length, '*', 'e', ARGV[at + 1])
    end
  end
end

local spoiled = {}
for target, place in ipairs(ask.targets) do
  local key, field = KEYS[place[1]], place[2]
  if sums[target] and type(redis.pcall('HINCRBY', key, field, whole(sums[target]))) == 'table' then
    spoiled[#spoiled + 1] = key .. ' ' .. field
  end
end
for bucket, of_bucket in pairs(freed) do
  for target, number in pairs(of_bucket) do
    free(KEYS[ask.targets[target][1]], ask.targets[target][2], bucket, number)
  end
end
for _, life in ipairs(ask.lives) do
  if redis.call('PTTL', KEYS[life[1]]) == -1 then redis.call('PEXPIRE', KEYS[life[1]], whole(life[2])) end
end
applied = ask.first + lines - 1
redis.call('SET', KEYS[1], whole(applied), 'PX', whole(ask.position_ms))
return { applied, now, spoiled }
