-- Add what a process has let through by itself while it could not ask: once, however often it is told.
--
-- KEYS  the name of this account; then of each quota; then, where there is usage, its counters
-- ARGV  how many quotas there are; for each: window, used, milliseconds until its window ends; then field, count, ...
-- Quotas are stored as check.lua stores them. Returns 1, or 0 where the account was settled before.

local MEMORY = 3600 -- seconds in which the same account may be told again
local USAGE_SECONDS = 40 * 86400

local quotas = tonumber(ARGV[1])
if not redis.call("SET", KEYS[1], "1", "NX", "EX", MEMORY) then return 0 end

for i = 1, quotas do
  local window, used = ARGV[3 * i - 1], tonumber(ARGV[3 * i])
  local stored, level = string.match(redis.call("GET", KEYS[i + 1]) or "", "^(%d+):(%d+)$")
  -- A later window than the process's has nothing to do with it.
  if not stored or tonumber(stored) <= tonumber(window) then
    if stored == window then used = used + tonumber(level) end
    redis.call("SET", KEYS[i + 1], string.format("%s:%.0f", window, used), "PX", ARGV[3 * i + 1])
  end
end

local usage = KEYS[quotas + 2]
if usage then
  for i = 3 * quotas + 2, #ARGV, 2 do redis.call("HINCRBY", usage, ARGV[i], ARGV[i + 1]) end
  if redis.call("TTL", usage) < 0 then redis.call("EXPIRE", usage, USAGE_SECONDS) end
end
return 1
