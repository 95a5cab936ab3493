-- Let a tenant's quotas count what was charged according to the database: after Valkey lost their counters.
--
-- KEYS  a mark that this was done; the counters of usage that are not in the database yet; then each quota
-- ARGV  seconds that the mark lasts; then for each quota: its window, when that began (seconds since 1970), what was
--       charged in it, milliseconds until it ends
-- Quotas and usage are stored as check.lua stores them. A counter that says more already stays.

local usage = redis.call("HGETALL", KEYS[2])

for i = 3, #KEYS do
  local window, began, charged, left = unpack(ARGV, 4 * i - 10, 4 * i - 7)
  local total = tonumber(charged)
  for at = 1, #usage, 2 do
    local hour = string.match(usage[at], "^(%d+):.*:cost$")
    if hour and tonumber(hour) >= tonumber(began) then total = total + tonumber(usage[at + 1]) end
  end
  local stored, used = string.match(redis.call("GET", KEYS[i]) or "", "^(%d+):(%d+)$")
  local later = stored and tonumber(stored) > tonumber(window)
  if total > 0 and not later and (stored ~= window or tonumber(used) < total) then
    redis.call("SET", KEYS[i], string.format("%s:%.0f", window, total), "PX", left)
  end
end
redis.call("SET", KEYS[1], "1", "EX", ARGV[1])
