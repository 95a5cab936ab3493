"""Figures as pictures: where bars stand and how long they are, in units of an SVG that the template draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from saas.usage.service import QuotaUse, UseAt

Level = Literal["good", "warn", "bad"]
#: The size of the drawing of hours; it is stretched to the width of the page.
WIDTH: Final = 480
HEIGHT: Final = 100
#: From this share of a limit on, somebody should know.
NEARLY: Final = 0.8
_GAP: Final = 2
_LABELS: Final = 4
_DURATIONS: Final = {"day": "today", "month": "this month"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour. What was refused stands above what was served."""

    x: float
    width: float
    served: float
    refused: float
    title: str


@dataclass(frozen=True, slots=True)
class HourChart:
    """`top` is the number at the upper edge; `labels` stand below, from the first hour to the last."""

    bars: tuple[Bar, ...]
    top: int
    labels: tuple[str, ...]
    requests: int
    refusals: int
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Gauge:
    """So much of a limit; `share` and `projected` are percent of it, at most all. `limit` None: there is none."""

    label: str
    used: int
    limit: int | None
    level: Level = "good"
    share: float = 0.0
    projected: float | None = None
    note: str = ""


def hour_chart(hours: Sequence[UseAt]) -> HourChart:
    """Hours without requests are hours, too."""
    top = _round_up(max((each.use.requests + each.use.refusals for each in hours), default=0))
    step = WIDTH / max(1, len(hours))
    bars = tuple(
        Bar(
            x=round(number * step, 2),
            width=round(step - _GAP, 2),
            served=_part(each.use.requests, top),
            refused=_part(each.use.refusals, top),
            title=_title(each),
        )
        for number, each in enumerate(hours)
        if each.use.requests or each.use.refusals
    )
    every = max(1, len(hours) // _LABELS)
    return HourChart(
        bars,
        top,
        tuple(f"{each.at:%a %H:%M}" for each in hours[::every][:_LABELS]),
        sum(each.use.requests for each in hours),
        sum(each.use.refusals for each in hours),
    )


def quota_gauge(quota: QuotaUse, now: datetime) -> Gauge:
    """So far, and what it comes to if it goes on so. Of a period that has hardly begun nothing is foretold."""
    level: Level = "bad" if quota.used >= quota.limit else "warn" if quota.projected > quota.limit else "good"
    foretold = f"about {quota.projected:,} by the end of the {quota.calendar}" if quota.used else ""
    return Gauge(
        f"Requests {_DURATIONS[quota.calendar]}",
        quota.used,
        quota.limit,
        level,
        _percent(quota.used, quota.limit),
        _percent(quota.projected, quota.limit),
        "; ".join(filter(None, [foretold, f"begins anew in {_until(quota.resets_at, now)}"])),
    )


def cap_gauge(label: str, used: int, limit: int | None) -> Gauge:
    if limit is None:
        return Gauge(label, used, None)
    level: Level = "good"
    if limit:
        level = "bad" if used >= limit else "warn" if used >= NEARLY * limit else "good"
    return Gauge(label, used, limit, level, _percent(used, limit))


def _percent(count: int, limit: int) -> float:
    return round(min(100.0, 100 * count / limit), 1) if limit else 0.0


def _part(count: int, top: int) -> float:
    """Whatever there is at all can be seen."""
    return max(1.5, round(HEIGHT * count / top, 2)) if count else 0.0


def _title(each: UseAt) -> str:
    refused = f", {each.use.refusals:,} refused" if each.use.refusals else ""
    return f"{each.at:%a %H:%M}: {each.use.requests:,}{refused}"


def _round_up(highest: int) -> int:
    """To a number that is easily read: 1, 2 or 5 times a power of ten."""
    power = 10
    while True:
        for part in (1, 2, 5):
            if power * part >= highest:
                return power * part
        power *= 10


def _until(end: datetime, now: datetime) -> str:
    hours = max(1, round((end - now).total_seconds() / 3600))
    if hours < 48:  # noqa: PLR2004 - two days
        return f"{hours} hour{'s' * (hours > 1)}"
    return f"{round(hours / 24)} days"
