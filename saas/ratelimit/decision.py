"""Whether a request is within its limits: pure arithmetic over integers, the same as in `check.lua`.

Time is in microseconds since the epoch. Everything stays below 2^53, so that Lua's doubles hold it exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from struct import Struct
from typing import ClassVar, Final, Literal, NamedTuple

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
#: Most that one request may weigh.
MAX_COST: Final = 1_000
#: Most that `burst` requests and the heaviest request may come to, in request-microseconds.
_MAX_LEVEL: Final = 2**52
_MAX_AMOUNT: Final = 10**9
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()

#: Microseconds after which a request that was never seen to end no longer counts as under way: its process died.
LEASE: Final = 120 * SECOND
#: Microseconds to wait where too many requests are under way: nobody knows when one ends.
_BUSY_PAUSE: Final = SECOND
#: How the script takes a limit (see `check.lua`): texts would take it a third of its time.
_THREE: Final = Struct("<ddd")
_CALENDARS: Final = {"day": -1, "month": -2}
_RUNNING: Final = -3

#: What is known of a limit: (at, level, burst) of a rate, (window, used) of a quota, (under way,) of a concurrency;
#: None before the first request.
State = tuple[int, ...] | None
#: Whose requests a rate counts: the whole tenant's, those of each client or user in it, or of each address.
Part = Literal["", "client", "user", "address"]


class Share(NamedTuple):
    """A part of a rate that one process counts by itself; Python's integers have no bound."""

    amount: int
    burst: int
    period: int


@dataclass(frozen=True, slots=True)
class Rate:
    """`amount` requests in each `period` of seconds, spread evenly, up to `burst` of them at once (GCRA).

    In any window of w seconds at most burst + amount * w / period requests pass.
    """

    name: str
    amount: int
    burst: int
    period: int = 60
    of_each: Part = ""
    packed: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError where the script could not count exactly."""
        heaviest = (self.burst + MAX_COST) * self.period * SECOND
        if not (0 < self.amount <= _MAX_AMOUNT and self.burst > 0 and self.period > 0 and heaviest <= _MAX_LEVEL):
            raise ValueError(f"{self} cannot be counted exactly")
        object.__setattr__(self, "packed", _THREE.pack(self.amount, self.burst, self.period * SECOND))

    @property
    def window(self) -> int:
        """Seconds."""
        return self.period

    def share(self, processes: int) -> Share:
        """What one of several processes may admit when they cannot count together."""
        return Share(self.amount, max(1, self.burst // processes), self.period * processes)


@dataclass(frozen=True, slots=True)
class Quota:
    """`amount` requests in each calendar day or month, UTC."""

    name: str
    amount: int
    calendar: Literal["day", "month"]
    packed: bytes = field(init=False, repr=False, compare=False)
    of_each: ClassVar[Part] = ""

    def __post_init__(self) -> None:
        if not 0 < self.amount <= _MAX_AMOUNT:
            raise ValueError(f"{self} cannot be counted exactly")
        object.__setattr__(self, "packed", _THREE.pack(self.amount, 0, _CALENDARS[self.calendar]))

    @property
    def window(self) -> int | None:
        """Seconds; None for a month, since months differ."""
        return DAY // SECOND if self.calendar == "day" else None

    def share(self, processes: int) -> "Quota":
        """What one of several processes may admit when they cannot count together."""
        return Quota(self.name, max(1, self.amount // processes), self.calendar)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """`amount` requests under way at the same time, whatever they weigh."""

    name: str
    amount: int
    packed: bytes = field(init=False, repr=False, compare=False)
    of_each: ClassVar[Part] = ""
    #: A number of requests has no window.
    window: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not 0 < self.amount <= _MAX_AMOUNT:
            raise ValueError(f"{self} cannot be counted exactly")
        object.__setattr__(self, "packed", _THREE.pack(self.amount, LEASE, _RUNNING))

    def share(self, processes: int) -> "Concurrency":
        """What one of several processes may admit when they cannot count together."""
        return Concurrency(self.name, max(1, self.amount // processes))


Limit = Rate | Quota | Concurrency
_Counted = Limit | Share


class Standing(NamedTuple):
    """How a limit stands after the decision."""

    #: Requests of weight 1 that would pass now.
    remaining: int
    #: Microseconds until `remaining` grows; 0 where nothing is used.
    reset: int
    #: Microseconds until a request of this weight could pass; 0 where this limit does not refuse it.
    wait: int


class Decision(NamedTuple):
    allowed: bool
    standings: list[Standing]
    #: What to store: of all limits, or, when the request is refused, nothing.
    states: list[State]


def decide(limits: Sequence[_Counted], states: Sequence[State], now: int, cost: int = 1) -> Decision:
    """Charge a request of weight `cost` to all limits, or, if one of them refuses it, to none."""
    used = [_used(limit, state, now) for limit, state in zip(limits, states, strict=True)]
    waits = [_wait(limit, level, now, cost) for limit, level in zip(limits, used, strict=True)]
    allowed = not any(waits)
    if allowed:
        used = [_charge(limit, level, cost) for limit, level in zip(limits, used, strict=True)]
    standings = [_standing(limit, level, now, wait) for limit, level, wait in zip(limits, used, waits, strict=True)]
    changed = [_state(limit, level, now) for limit, level in zip(limits, used, strict=True)] if allowed else []
    return Decision(allowed, standings, changed)


def _used(limit: _Counted, state: State, now: int) -> int:
    """A rate's level: request-microseconds not yet drained. A quota's count of this window."""
    if state is None:
        return 0
    if isinstance(limit, Quota):
        window, used = state
        return used if window == window_of(limit, now)[0] else 0
    if isinstance(limit, Concurrency):
        return state[0]
    at, level, burst = state
    if at > now:  # the clock went back, as it may at a fail-over: better a fresh burst than an outage
        return 0
    if burst != limit.burst:  # the plan changed: what is used stays used, but a bucket is never more than full
        level = min(level, limit.burst * limit.period * SECOND)
    return max(0, level - (now - at) * limit.amount)


def _wait(limit: _Counted, used: int, now: int, cost: int) -> int:
    if isinstance(limit, Quota):
        return window_of(limit, now)[1] - now if used + cost > limit.amount else 0
    if isinstance(limit, Concurrency):
        return _BUSY_PAUSE if used >= limit.amount else 0
    # What weighs more than the burst passes when nothing is used, and is paid off in full.
    excess = used - (limit.burst - min(cost, limit.burst)) * limit.period * SECOND
    return max(0, -(-excess // limit.amount))


def _charge(limit: _Counted, used: int, cost: int) -> int:
    if isinstance(limit, Concurrency):
        return used + 1
    return used + (cost if isinstance(limit, Quota) else cost * limit.period * SECOND)


def _standing(limit: _Counted, used: int, now: int, wait: int) -> Standing:
    if isinstance(limit, Quota):
        return Standing(max(0, limit.amount - used), window_of(limit, now)[1] - now if used else 0, wait)
    if isinstance(limit, Concurrency):
        return Standing(max(0, limit.amount - used), 0, wait)
    request = limit.period * SECOND
    remaining = max(0, (limit.burst * request - used) // request)
    excess = used - (limit.burst - remaining - 1) * request
    return Standing(remaining, -(-excess // limit.amount) if used else 0, wait)


def _state(limit: _Counted, used: int, now: int) -> State:
    if isinstance(limit, Concurrency):
        return (used,)
    return (window_of(limit, now)[0], used) if isinstance(limit, Quota) else (now, used, limit.burst)


def window_of(quota: Quota, now: int) -> tuple[int, int]:
    """The number of the calendar window, and when it ends."""
    day = now // DAY
    if quota.calendar == "day":
        return day, (day + 1) * DAY
    return _month(day)


@lru_cache(maxsize=4)
def _month(day: int) -> tuple[int, int]:
    first = date.fromordinal(_EPOCH_ORDINAL + day).replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first.year * 12 + first.month - 1, (following.toordinal() - _EPOCH_ORDINAL) * DAY


def until_end(quota: Quota, window: int, now: int) -> int:
    """Microseconds until a window of the quota ends; 0 where another one has begun."""
    current, end = window_of(quota, now)
    return end - now if current == window else 0
