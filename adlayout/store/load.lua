#!lua flags=no-writes
-- The whole inventory and its revision, as of one moment.
-- KEYS: campaigns, flights, creatives, revision.
return {
  redis.call('HGETALL', KEYS[1]),
  redis.call('HGETALL', KEYS[2]),
  redis.call('HGETALL', KEYS[3]),
  redis.call('GET', KEYS[4]),
}
