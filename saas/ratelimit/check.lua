-- Check all limits of one request, then charge all of them or none. The arithmetic is that of decision.py.
--
-- KEYS  one for each limit; after them, where the request has a token, those of which one exists when it is revoked
-- ARGV  the request's weight; then for each limit: amount, burst, period in microseconds (a rate)
--                                              or: amount, 0, "day" or "month" (a calendar quota, UTC)
-- Returns {now, verdict} with a verdict of 1 (charged), 0 (refused) or -1 (revoked, nothing checked); unless revoked,
-- then for each limit: remaining, microseconds until more remains, microseconds to wait (0 where it does not refuse).
--
-- A rate is stored as at:level:burst, a quota as window:used: the window lies in the value, so that the keys are known
-- before the date is. All numbers are integers below 2^53, which doubles hold exactly.

local DAY = 86400000000
local SLACK = 1000 -- milliseconds that a key outlives its meaning

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

local cost = number(ARGV[1])
local count = (#ARGV - 1) / 3
local stored = call("MGET", unpack(KEYS))
local time = call("TIME")
local now = time[1] * 1000000 + time[2]

for i = count + 1, #KEYS do
  if stored[i] then return {now, -1} end
end

local reply = {now, 1}
local amounts, bursts, periods, used, windows, ends = {}, {}, {}, {}, {}, {}

for i = 1, count do
  local amount, burst, period = number(ARGV[3 * i - 1]), number(ARGV[3 * i]), number(ARGV[3 * i + 1])
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
  else
    windows[i], ends[i] = window_of(ARGV[3 * i + 1], now)
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
  else
    if allowed then level = level + cost end
    remaining = max(0, amount - level)
    if level > 0 then reset = ends[i] - now end
    if allowed then
      state, expiry = format("%.0f:%.0f", windows[i], level), ceil((ends[i] - now) / 1000)
    end
  end
  if allowed then call("SET", KEYS[i], state, "PX", expiry + SLACK) end
  reply[3 * i], reply[3 * i + 1] = remaining, reset
end

return reply
