"""How people write lengths of time and moments on the command line. Moments are UTC unless they say otherwise."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_UNITS: Final = ("days", "hours", "minutes", "seconds")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: How far ahead an end may lie.
_LONGEST: Final = timedelta(days=5 * 366)


def parse_duration(text: str) -> timedelta:
    """`24h`, `1d12h`, `90m`, `0`. Raises typer.BadParameter."""
    if text == "0":
        return timedelta(0)
    parts = re.fullmatch(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", text)
    if not text or parts is None:
        raise typer.BadParameter(f"{text!r} is not a duration: write it like 24h, 1d12h, 90m or 0")
    amounts = zip(_UNITS, parts.groups(default="0"), strict=True)
    return timedelta(**{unit: int(amount) for unit, amount in amounts})


def parse_moment(text: str | None, now: datetime) -> datetime | None:
    """A date, a date and time, or how long ago. Raises typer.BadParameter."""
    if text is None:
        return None
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError:
        try:
            return now - parse_duration(text)
        except (typer.BadParameter, OverflowError):
            raise typer.BadParameter(f"{text!r} is no time: write it like 2026-12-01, or 7d for a week ago") from None


def parse_until(text: str, now: datetime) -> datetime:
    """`friday` and `2026-12-01` are the beginning of the day, `48h` counts from now. Raises typer.BadParameter."""
    word = text.strip().lower()
    if word in _DAYS:
        ahead = (_DAYS.index(word) - now.weekday() - 1) % 7 + 1
        until = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=ahead)
    elif word[:4].isdigit() and "-" in word:
        try:
            until = _utc(datetime.fromisoformat(word))
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not a date: write it like 2026-12-01 or 2026-12-01T18:00") from None
    else:
        try:
            until = now + min(parse_duration(word), 2 * _LONGEST)
        except typer.BadParameter:
            raise typer.BadParameter(f"{text!r} is no time: write it like friday, 2026-12-01 or 48h") from None
    if not now < until <= now + _LONGEST:
        raise typer.BadParameter(f"{text!r} is over, or more than five years away: give a time that is to come")
    return until


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
