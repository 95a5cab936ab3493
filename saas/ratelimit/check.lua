-- Check all limits of one request, then charge all of them or none. The arithmetic is that of decision.py.
--
-- KEYS  one for each limit; then, where usage is counted, its counters; after them, where the request has a token,
--       those of which one exists when it is revoked
-- ARGV  the request's weight; how many limits there are; "shadow" where nothing may be refused; the name of this
--       request's lease; then for each limit: amount, burst, period in microseconds (a rate)
--                                         or: amount, 0, "day" or "month" (a calendar quota, UTC)
--                                         or: amount, microseconds that a lease lasts, "running" (a concurrency);
--       then, where usage is counted, whose it is
-- Returns {now, verdict} with a verdict of 1 (charged), 0 (refused), 2 (would be refused, but for the shadow: nothing
-- charged) or -1 (revoked, nothing checked); unless revoked, then for each limit: remaining, microseconds until more
-- remains, microseconds to wait (0 where it does not refuse).
--
-- A rate is stored as at:level:burst, a quota as window:used: the window lies in the value, so that the keys are known
-- before the date is. Requests under way are a sorted set of leases by their end. Usage is a hash with
-- fields <hour>:<whose>:requests, :cost (what the quotas were charged), :refusals and :would_refuse; the hour is in
-- seconds since 1970. All numbers are integers below 2^53, which doubles hold exactly. Every key lies in the tenant's slot.

local DAY = 86400000000
local SLACK = 1000 -- milliseconds that a key outlives its meaning
local BUSY_PAUSE = 1000000
local HOUR = 3600000000
local USAGE_SECONDS = 40 * 86400 -- in which a worker comes by and takes it away

local call, number, match, format = redis.call, tonumber, string.match, string.format
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local KEYS, ARGV = KEYS, ARGV

-- The number of the month that a day since the epoch lies in, and the first day of the next (proleptic Gregorian;
-- the years of this calculation begin in March, so that the day that leap years add is their last).
local function month_of(day)
  local of_era = (day + 719468) % 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * of_year + 2) / 153)
  local next_first = floor((153 * (month + 1) + 2) / 5)
  if month == 11 then
    local leap = (year + 1) % 4 == 0 and ((year + 1) % 100 ~= 0 or (year + 1) % 400 == 0)
    next_first = leap and 366 or 365
  end
  local years = floor((day + 719468) / 146097) * 400 + year
  return years * 12 + month + 2, day - of_year + next_first
end

local function window_of(calendar, now)
  local day = floor(now / DAY)
  if calendar == "day" then return day, (day + 1) * DAY end
  local month, next_first = month_of(day)
  return month, next_first * DAY
end

local cost, count, shadow, lease = number(ARGV[1]), number(ARGV[2]), ARGV[3] == "shadow", ARGV[4]
local whose = ARGV[3 * count + 5] -- nil where usage is not counted
local stored = call("MGET", unpack(KEYS))
local time = call("TIME")
local now = time[1] * 1000000 + time[2]

for i = count + (whose and 2 or 1), #KEYS do
  if stored[i] then return {now, -1} end
end

local reply = {now, 1}
local amounts, bursts, periods, used, windows, ends = {}, {}, {}, {}, {}, {}

for i = 1, count do
  local kind = ARGV[3 * i + 4]
  local amount, burst, period = number(ARGV[3 * i + 2]), number(ARGV[3 * i + 3]), number(kind)
  local value, level, wait = stored[i], 0, 0
  amounts[i], bursts[i], periods[i] = amount, burst, period
  if period then
    if value then
      local at, last, of_burst = match(value, "^(%d+):(%d+):(%d+)$")
      at = number(at)
      if at and at <= now then -- else the clock went back: better a fresh burst than an outage
        level = number(last)
        if number(of_burst) ~= burst then level = min(level, burst * period) end
        level = max(0, level - (now - at) * amount)
      end
    end
    local excess = level - (burst - min(cost, burst)) * period
    if excess > 0 then wait = ceil(excess / amount) end
  elseif kind == "running" then
    level = call("ZCOUNT", KEYS[i], format("(%.0f", now), "+inf")
    if level >= amount then wait = BUSY_PAUSE end
  else
    windows[i], ends[i] = window_of(kind, now)
    if value then
      local window, last = match(value, "^(%d+):(%d+)$")
      if window and number(window) == windows[i] then level = number(last) end
    end
    if level + cost > amount then wait = ends[i] - now end
  end
  used[i] = level
  reply[3 * i + 2] = wait
  if wait > 0 then reply[2] = 0 end
end

local allowed = reply[2] == 1

for i = 1, count do
  local amount, burst, period = amounts[i], bursts[i], periods[i]
  local level, remaining, reset, state, expiry = used[i], 0, 0, nil, 0
  if period then
    if allowed then level = level + cost * period end
    remaining = max(0, floor((burst * period - level) / period))
    if level > 0 then reset = ceil((level - (burst - remaining - 1) * period) / amount) end
    if allowed then
      state, expiry = format("%.0f:%.0f:%.0f", now, level, burst), ceil(level / amount / 1000)
    end
  elseif not windows[i] then
    if allowed then
      call("ZREMRANGEBYSCORE", KEYS[i], "-inf", format("%.0f", now))
      call("ZADD", KEYS[i], format("%.0f", now + burst), lease)
      call("PEXPIRE", KEYS[i], ceil(burst / 1000) + SLACK)
      level = level + 1
    end
    remaining = max(0, amount - level)
  else
    if allowed then level = level + cost end
    remaining = max(0, amount - level)
    if level > 0 then reset = ends[i] - now end
    if allowed then
      state, expiry = format("%.0f:%.0f", windows[i], level), ceil((ends[i] - now) / 1000)
    end
  end
  if state then call("SET", KEYS[i], state, "PX", expiry + SLACK) end
  reply[3 * i], reply[3 * i + 1] = remaining, reset
end

if shadow and not allowed then reply[2] = 2 end

if whose then
  local key = KEYS[count + 1]
  local field = format("%.0f:%s:", floor(now / HOUR) * 3600, whose)
  local first
  if reply[2] == 0 then
    first = call("HINCRBY", key, field .. "refusals", 1)
  else
    first = call("HINCRBY", key, field .. "requests", 1)
    if allowed then
      call("HINCRBY", key, field .. "cost", cost)
    else
      call("HINCRBY", key, field .. "would_refuse", 1)
    end
  end
  if first == 1 then call("EXPIRE", key, USAGE_SECONDS) end
end

return reply
