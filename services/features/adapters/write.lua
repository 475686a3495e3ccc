#!lua
-- Writes what a run of one partition's messages makes of entities, and how far that is: all of it or nothing.
-- KEYS[1]: the hash of offsets; then one for each entity.
-- ARGV: the partition's field, the offset expected ('' for none), the next offset, when entities expire (s); then for
-- each entity the field of its revision, the revision expected ('' for none), and how many further arguments are its
-- fields and values.
-- Nothing is written before everything is checked. Without allow-oom the script does not even start on a full store.
local at = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if at ~= ARGV[2] then
  return 'moved'
end
local i = 5
for k = 2, #KEYS do
  if (redis.call('HGET', KEYS[k], ARGV[i]) or '') ~= ARGV[i + 1] then
    return 'conflict'
  end
  i = i + 3 + tonumber(ARGV[i + 2])
end
i = 5
for k = 2, #KEYS do
  local last = i + 2 + tonumber(ARGV[i + 2])
  redis.call('HSET', KEYS[k], unpack(ARGV, i + 3, last))
  redis.call('EXPIREAT', KEYS[k], ARGV[4])
  i = last + 1
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'written'
