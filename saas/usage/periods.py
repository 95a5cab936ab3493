"""Hours, days and months in UTC: where one begins, and which there are between two moments."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

Resolution = Literal["hour", "day", "month"]
Calendar = Literal["day", "month"]

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
CALENDARS: Final[tuple[Calendar, ...]] = ("day", "month")
_LONGEST_MONTH: Final = timedelta(days=31)


def beginning(at: datetime, resolution: Resolution) -> datetime:
    """Of the hour, day or month that `at` lies in."""
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if resolution == "hour":
        return hour
    day = hour.replace(hour=0)
    return day if resolution == "day" else day.replace(day=1)


def following(begin: datetime, resolution: Resolution) -> datetime:
    """The beginning of the period after that which begins at `begin`."""
    if resolution == "month":
        return (begin + _LONGEST_MONTH).replace(day=1)
    return begin + (HOUR if resolution == "hour" else DAY)


def between(since: datetime, until: datetime, resolution: Resolution) -> Iterator[datetime]:
    """The beginnings of all periods that have a part of [since, until)."""
    begin = beginning(since, resolution)
    while begin < until:
        yield begin
        begin = following(begin, resolution)


def projected(used: int, now: datetime, calendar: Calendar) -> int:
    """What `used` comes to by the end of the day or month, if it goes on as it went so far.

    A period that has hardly begun says nothing: no part of it counts as less than a hundredth.
    """
    begin = beginning(now, calendar)
    length = following(begin, calendar) - begin
    return round(used * (length / max(now - begin, length / 100)))
