"""The audit log: who did what to whom, from where, when."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response, StreamingResponse

from saas.audit.formats import FORMATS, exported
from saas.audit.log import EventFilter
from saas.audit.verify import verify
from saas.console.frame import CONSOLE, Page, reads, render_console, route, writes
from saas.identity.browser import Form
from saas.kit.clock import utc_now
from saas.web.problems import InvalidRequest, NotFound
from tenants.plans import require_feature

_HERE: Final = f"{CONSOLE}/audit"
_FEATURE: Final = "audit-export"
_PER_PAGE: Final = 50
_MAX_TEXT: Final = 200
#: Of the query string, and of the form that exports.
_FIELDS: Final = ("action", "actor", "target", "since", "until", "q")


@reads("audit:read")
async def show_log(page: Page) -> Response:
    asked = _asked(page.query)
    errors: dict[str, str] = {}
    try:
        wanted = _filter(asked)
    except ValueError:
        errors, wanted = {"since": "Write a day like 2026-03-31."}, EventFilter()
    cursor = page.query.get("cursor")
    log = await page.state.audit.list(page.session, wanted, limit=_PER_PAGE, cursor=cursor)
    return render_console(
        page,
        "console/audit.html",
        422 if errors else 200,
        active="audit",
        events=log.items,
        asked={name: asked.get(name, "") for name in _FIELDS},
        filtered=bool(asked),
        hidden=asked,
        kinds=_kinds(page.state.audit.actions),
        first=_url(asked) if cursor else None,
        next=_url({**asked, "cursor": log.next_cursor}) if log.next_cursor else None,
        exports=_FEATURE in page.tenant.plan.features,
        days=page.tenant.plan.audit_days,
        errors=errors,
    )


@reads("audit:read")
async def show_event(page: Page) -> Response:
    try:
        event_id = UUID(page.request.path_params["event_id"])
    except ValueError as error:
        raise NotFound from error
    event = await page.state.audit.find(page.session, event_id)
    return render_console(page, "console/event.html", active="audit", event=event)


@writes("audit:read", detached=True)
async def verify_log(page: Page) -> Response:
    """In a snapshot of its own."""
    verdict = await verify(page.state.database, page.tenant)
    if verdict.broken is not None:
        text = (
            f"The log is not what was written. {verdict.broken}. Tell whoever runs this platform, and change nothing."
        )
        return page.done(_HERE, text, "bad")
    pruned = f" {verdict.pruned:,} older ones were past their time and are gone." if verdict.pruned else ""
    return page.done(_HERE, f"The log is whole: {verdict.events:,} events, each as it was written.{pruned}")


@writes("audit:read", detached=True)
async def export_log(page: Page) -> Response:
    """A form and no link: that somebody took it is an event, too. Raises FeatureNotInPlan."""
    require_feature(page.tenant.plan, _FEATURE)
    form = page.form.get("format", "csv")
    if form not in FORMATS:
        raise InvalidRequest("Export as CSV or as JSON lines")
    try:
        wanted = _filter(_asked(page.form))
    except ValueError as error:
        raise InvalidRequest("Write days like 2026-03-31") from error
    events = page.state.audit.export(page.state.database, page.tenant, wanted)
    return download(exported(events, form), form, page.tenant.slug)


def download(lines: AsyncIterator[str], form: str, slug: str) -> Response:
    name = f"audit-{slug}-{utc_now():%Y-%m-%d}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type=FORMATS[form].media_type, headers=headers)


def _asked(fields: Form) -> dict[str, str]:
    """What the filter's form says, without its empty fields."""
    given = {name: fields.get(name, "").strip()[:_MAX_TEXT] for name in _FIELDS}
    return {name: value for name, value in given.items() if value and value.isprintable()}


def _filter(asked: Mapping[str, str]) -> EventFilter:
    """Days are those of UTC, the last one included. Raises ValueError."""
    until = _day(asked.get("until"))
    return EventFilter(
        action=asked.get("action"),
        actor=asked.get("actor"),
        target=asked.get("target"),
        since=_day(asked.get("since")),
        until=None if until is None else until + timedelta(days=1),
        query=asked.get("q"),
    )


def _day(text: str | None) -> datetime | None:
    if not text:
        return None
    day = date.fromisoformat(text)
    if not 1970 <= day.year < 9999:  # noqa: PLR2004 - years that nothing overflows at
        raise ValueError("a year that no event is of")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _kinds(actions: Mapping[str, str]) -> list[tuple[str, str]]:
    """For a list to choose from: all of a kind, then each."""
    options: list[tuple[str, str]] = [("", "Everything")]
    seen = ""
    for action in sorted(actions):
        kind = action.partition(".")[0]
        if kind != seen:
            options.append((kind, f"{kind.replace('_', ' ').capitalize()}: everything"))
            seen = kind
        options.append((action, actions[action]))
    return options


def _url(asked: Mapping[str, Any]) -> str:
    return f"{_HERE}?{urlencode(asked)}" if asked else _HERE


routes: Final = [
    route(_HERE, show_log, "GET"),
    route(f"{_HERE}/verify", verify_log, "POST"),
    route(f"{_HERE}/export", export_log, "POST"),
    route(f"{_HERE}/{{event_id}}", show_event, "GET"),
]
