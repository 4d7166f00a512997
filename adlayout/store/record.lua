#!lua
-- Applies the lines of a spool that were not applied yet, each once, in their order.
-- KEYS: the spool's position, totals, stream; then whatever the lines name by its index.
-- ARGV[1], JSON: first (the position of the first line), start, hold_ms, token_ms, position_ms, unit_ms, stream_length,
-- lives (key index and milliseconds of each hash that must end), hashes (indexes of those that must be hashes),
-- targets (key index and field of everything that is counted or freed) and lines: each {happened, once, bucket, reader,
-- reader before, caps {field, window_ms}, slot (of a view or click of one reader's page), counts (target, number, target,
-- ...), frees (target, ...), trial}, where 0 or '' is none; trial: {unit, sums, variation, marks (of an exposure: its day
-- and device; else none), amounts (variable, number, variable, ...)}.
-- ARGV[2] and so on: the lines' texts.
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

-- A click on an ad that nobody has seen is counted apart as well. Views of a page that is left by a click may come right
-- behind it: they take that back, wherever it is counted with them.
local unseen = {}
local function look(happened, once, slot, counts)
  local page, mark, clicked = KEYS[happened], 'unseen:' .. slot, once == 'click:' .. slot
  local told = redis.pcall('HGET', page, clicked and 'view:' .. slot or mark)
  if type(told) == 'table' or clicked == (told ~= false) then return end
  local keys = {}
  for at = 1, #counts, 2 do
    local place = ask.targets[counts[at]]
    local key, field = KEYS[place[1]], string.sub(place[2], 1, -2) .. 'uc'
    if clicked or string.find(told, key, 1, true) then
      unseen[#unseen + 1] = { key, field, clicked and 1 or -1 }
    end
    keys[#keys + 1] = key
  end
  if clicked then
    redis.call('HSET', page, mark, table.concat(keys, ' '))
  else
    redis.call('HDEL', page, mark)
  end
end

local function give_back(frees, bucket)
  local of_bucket = freed[bucket] or {}
  freed[bucket] = of_bucket
  for _, target in ipairs(frees) do of_bucket[target] = (of_bucket[target] or 0) + 1 end
end

-- An experiment's sums over its units: of each variable, of its square, and of the products of some, for their spread.
-- Units are read once and written once, whatever number of lines is theirs; what they changed by goes to the sums.
-- A number is exact up to 2^53, so no unit's variable passes MOST. Squares do, and their sums pass 2^63: so they are
-- kept as four digits to this base, each of which is summed apart.
local BASE, MOST = 1e7, 1e14 - 1
local PAIRS = { { 'C', 'V', 'CV' }, { 'V', 'S', 'VS' }, { 'E', 'P', 'EP' }, { 'L', 'P', 'LP' }, { 'T', 'P', 'TP' } }
-- Names of conversions come from browsers, and neither hash may grow by whatever they make up.
local MOST_NAMES, MOST_FIELDS = 20, 5000
local units, books, digits = {}, {}, {}

local function book_of(sums, variation)
  local of_sums = books[sums] or {}
  books[sums] = of_sums
  local book = of_sums[variation] or {}
  of_sums[variation] = book
  return book
end

local function enter(book, name, number) book[name] = (book[name] or 0) + number end

-- What the digits of a square or a product are called: its letters, which digit it is, and the name of a conversion.
local function digits_of(product)
  local found = digits[product]
  if not found then
    local letters, name = string.match(product, '^(%u+)(.*)$')
    found = { product, letters .. '1' .. name, letters .. '2' .. name, letters .. '3' .. name }
    digits[product] = found
  end
  return found
end

local function enter_large(book, product, sign, a, b)
  local names = digits_of(product)
  local a1, b1 = math.floor(a / BASE), math.floor(b / BASE)
  local a0, b0 = a - a1 * BASE, b - b1 * BASE
  local lowest = a0 * b0
  local low = a1 * b0 + a0 * b1 + math.floor(lowest / BASE)
  local high = a1 * b1 + math.floor(low / BASE)
  enter(book, names[1], sign * (lowest % BASE))
  enter(book, names[2], sign * (low % BASE))
  enter(book, names[3], sign * (high % BASE))
  enter(book, names[4], sign * math.floor(high / BASE))
end

local function enter_product(book, product, a, b, was_a, was_b)
  local now, before = a * b, was_a * was_b
  if now < BASE and before < BASE then
    if now ~= before then enter(book, product, now - before) end
  else
    enter_large(book, product, 1, a, b)
    enter_large(book, product, -1, was_a, was_b)
  end
end

local function unit_of(index, sums, variation)
  local unit = units[index]
  if unit ~= nil then return unit end
  local words = redis.pcall('HGETALL', KEYS[index])
  if words.err then
    units[index] = false
    return false
  end
  unit = { sums = sums, was = {}, is = {}, names = 0 }
  for at = 1, #words, 2 do
    local name, text = words[at], words[at + 1]
    if name == 'x' then
      unit.variation, unit.kept = text, true
    elseif name == 'm' then
      unit.several = true
    elseif string.match(text, '^-?%d+$') then
      local number = tonumber(text)
      unit.was[name], unit.is[name] = number, number
      if string.sub(name, 1, 2) == 'K:' then unit.names = unit.names + 1 end
    end
  end
  unit.variation = unit.variation or variation
  unit.book = book_of(sums, unit.variation)
  units[index] = unit
  return unit
end

local function is_known(unit, name)
  if unit.is[name] or string.sub(name, 1, 1) ~= 'K' then return true end
  if string.sub(name, 1, 3) == 'KV:' then return unit.is['K:' .. string.sub(name, 4)] ~= nil end
  local key = KEYS[unit.sums]
  if unit.names >= MOST_NAMES then return false end
  if redis.call('HEXISTS', key, unit.variation .. ':' .. name) == 0 and redis.call('HLEN', key) >= MOST_FIELDS then
    return false
  end
  unit.names = unit.names + 1
  return true
end

local function count_unit(index, sums, variation, marks, amounts)
  local unit = unit_of(index, sums, variation)
  if not unit then return end
  if unit.variation ~= variation and not unit.several then
    unit.several, unit.marks = true, true
    enter(book_of(unit.sums, ''), 'multi', 1)
  end
  local is = unit.is
  if #marks > 0 then
    is.B = is.P and 0 or 1
    unit.exposed = true
    if not is.P then
      enter(unit.book, 'n', 1)
      for _, mark in ipairs(marks) do enter(unit.book, 'n:' .. mark, 1) end
    end
  end
  for at = 1, #amounts, 2 do
    local name = amounts[at]
    if is_known(unit, name) then is[name] = math.max(-MOST, math.min(MOST, (is[name] or 0) + amounts[at + 1])) end
  end
end

local squares = {}
local function square_of(name)
  local found = squares[name]
  if not found then
    local letters, conversion = string.match(name, '^(%u+)(.*)$')
    found = letters .. letters .. conversion
    squares[name] = found
  end
  return found
end

-- Enters what changed of a unit and returns its fields that do.
local function sum_up(unit)
  local was, is, book = unit.was, unit.is, unit.book
  local changed = unit.marks and { 'm', '1' } or {}
  for name, number in pairs(is) do
    local before = was[name]
    if number ~= before then
      changed[#changed + 1], changed[#changed + 2] = name, whole(number)
      before = before or 0
      if number ~= before then
        enter(book, name, number - before)
        enter_product(book, square_of(name), math.abs(number), math.abs(number), math.abs(before), math.abs(before))
      end
    end
  end
  for _, pair in ipairs(PAIRS) do
    local a, b = pair[1], pair[2]
    enter_product(book, pair[3], is[a] or 0, is[b] or 0, was[a] or 0, was[b] or 0)
  end
  return changed
end

local function keep_unit(index, unit)
  local changed = sum_up(unit)
  if #changed > 0 then redis.call('HSET', KEYS[index], 'x', unit.variation, unpack(changed)) end
  if unit.exposed or not unit.kept then redis.call('PEXPIRE', KEYS[index], whole(ask.unit_ms)) end
end

for at = applied - ask.first + 2, lines do
  local happened, once, bucket, reader, before, caps, slot, counts, frees, trial = unpack(ask.lines[at])
  if is_new(happened, once) then
    add(counts)
    if slot ~= '' then look(happened, once, slot, counts) end
    if trial ~= 0 then count_unit(unpack(trial)) end
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
local function count(key, field, number)
  if type(redis.pcall('HINCRBY', key, field, whole(number))) == 'table' then
    spoiled[#spoiled + 1] = key .. ' ' .. field
  end
end
for target, place in ipairs(ask.targets) do
  if sums[target] then count(KEYS[place[1]], place[2], sums[target]) end
end
for _, one in ipairs(unseen) do count(unpack(one)) end
for index, unit in pairs(units) do
  if unit then keep_unit(index, unit) end
end
for index, of_sums in pairs(books) do
  for variation, book in pairs(of_sums) do
    local start = variation == '' and '' or variation .. ':'
    for name, number in pairs(book) do
      if number ~= 0 then count(KEYS[index], start .. name, number) end
    end
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
