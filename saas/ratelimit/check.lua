-- Check all limits of one request, then charge all of them or none. The arithmetic is that of decision.py.
--
-- KEYS  one for each limit; then, where usage is counted, its counters; after them, where the request has a token,
--       those of which one exists when it is revoked
-- ARGV  the request's weight; how many limits there are; "shadow" where nothing may be refused; the name of this
--       request's lease; all limits in one string, three doubles each:
--           amount, burst, period in microseconds (a rate)
--           amount, 0, DAYS or MONTHS (a calendar quota, UTC)
--           amount, microseconds that a lease lasts, RUNNING (a concurrency)
--       and, where usage is counted, whose it is
-- Returns {now, verdict} with a verdict of 1 (charged), 0 (refused), 2 (would be refused, but for the shadow: nothing
-- charged) or -1 (revoked, nothing checked); unless revoked, then for each limit: remaining, microseconds until more
-- remains, microseconds to wait (0 where it does not refuse).
--
-- A rate is stored as at, level, burst: three doubles. Texts are what takes longest here, and a rate's is never read
-- elsewhere; a quota's is, window:used. The window lies in the value, so that the keys are known before the date is. Requests under way are a sorted set of leases by their end. Usage is a hash with
-- fields <hour>:<whose>:requests, :cost (what the quotas were charged), :refusals and :would_refuse; the hour is in
-- seconds since 1970. All numbers are integers below 2^53, which doubles hold exactly. Every key lies in the tenant's slot.

local DAYS, MONTHS, RUNNING = -1, -2, -3
local THREE, SIZE = "<ddd", 24
local DAY = 86400000000
local SLACK = 1000 -- milliseconds that a key outlives its meaning
local BUSY_PAUSE = 1000000
local HOUR = 3600000000
local USAGE_SECONDS = 40 * 86400 -- from the first count on, in which a worker comes by and takes it away

local call, number, match, format = redis.call, tonumber, string.match, string.format
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local pack, unpack_doubles = struct.pack, struct.unpack
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
  if calendar == DAYS then return day, (day + 1) * DAY end
  local month, next_first = month_of(day)
  return month, next_first * DAY
end

local cost, count, shadow, lease = number(ARGV[1]), number(ARGV[2]), ARGV[3] == "shadow", ARGV[4]
local whose = ARGV[6] -- nil where usage is not counted
local stored = call("MGET", unpack(KEYS))
local time = call("TIME")
local now = time[1] * 1000000 + time[2]

for i = count + (whose and 2 or 1), #KEYS do
  if stored[i] then return {now, -1} end
end

local reply, states, lives = {now, 1}, {}, {}
local allowed = true

-- How each limit stands once `charge` is added, and what to store then.
local function look(charge)
  for i = 1, count do
    local amount, burst, period = unpack_doubles(THREE, ARGV[5], SIZE * i - SIZE + 1)
    local value, level, wait, remaining, reset = stored[i], 0, 0, 0, 0
    if period > 0 then
      if value and #value == SIZE then
        local at, last, of_burst = unpack_doubles(THREE, value)
        if at >= 1 and at <= now then -- else the clock went back: better a fresh burst than an outage
          level = last
          if of_burst ~= burst then level = min(level, burst * period) end
          level = max(0, level - (now - at) * amount)
        end
      end
      local excess = level - (burst - min(cost, burst)) * period
      if excess > 0 then wait = ceil(excess / amount) end
      level = level + charge * period
      remaining = max(0, floor((burst * period - level) / period))
      if level > 0 then reset = ceil((level - (burst - remaining - 1) * period) / amount) end
      states[i], lives[i] = pack(THREE, now, level, burst), ceil(level / amount / 1000) + SLACK
    elseif period == RUNNING then
      level = call("ZCOUNT", KEYS[i], format("(%.0f", now), "+inf")
      if level >= amount then wait = BUSY_PAUSE end
      if charge > 0 then level = level + 1 end
      remaining, lives[i] = max(0, amount - level), burst
    else
      local window, ends = window_of(period, now)
      if value then
        local of_window, last = match(value, "^(%d+):(%d+)$")
        if of_window and number(of_window) == window then level = number(last) end
      end
      if level + cost > amount then wait = ends - now end
      level = level + charge
      remaining = max(0, amount - level)
      if level > 0 then reset = ends - now end
      states[i], lives[i] = format("%.0f:%.0f", window, level), ceil((ends - now) / 1000) + SLACK
    end
    if wait > 0 then allowed = false end
    reply[3 * i], reply[3 * i + 1], reply[3 * i + 2] = remaining, reset, wait
  end
end

look(cost) -- as if all of them let it pass, since mostly they do
if allowed then
  for i = 1, count do
    if states[i] then
      call("PSETEX", KEYS[i], lives[i], states[i])
    else
      call("ZREMRANGEBYSCORE", KEYS[i], "-inf", format("%.0f", now))
      call("ZADD", KEYS[i], format("%.0f", now + lives[i]), lease)
      call("PEXPIRE", KEYS[i], ceil(lives[i] / 1000) + SLACK)
    end
  end
else
  look(0)
  reply[2] = shadow and 2 or 0
end

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
  if first == 1 and call("TTL", key) < 0 then call("EXPIRE", key, USAGE_SECONDS) end
end

return reply
