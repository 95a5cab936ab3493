"""The tenant's signing keys: those that are published, and their rotation by hand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import Response

from saas.console.frame import CONSOLE, Page, reads, render_console, route, writes
from saas.console.policy_words import in_words
from saas.identity.stepup import require_recent
from saas.keys.lifecycle import KeyInfo

HERE: Final = f"{CONSOLE}/keys"
_MAX_TYPED: Final = 20
_ORDER: Final = ("active", "next", "retiring")


@reads("settings:read")
async def show_keys(page: Page) -> Response:
    keys = await published_keys(page)
    return render_console(page, "console/keys.html", active="security", keys=keys, issuer=page.tenant.issuer)


@writes("settings:write")
async def rotate(page: Page) -> Response:
    if (late := require_recent(page.request, page.person, form=HERE)) is not None:
        return late
    algorithm = page.form.get("algorithm", "")[:_MAX_TYPED]
    lifecycle = page.state.key_lifecycle
    done = await lifecycle.rotate(page.session, page.tenant.id, algorithm)
    if done is None:
        return page.done(HERE, "The next key is published already, and signs by itself in a while.", "info")
    wait = in_words(int(lifecycle.publish_before.total_seconds()))
    return page.done(
        HERE,
        f"A new {algorithm} key signs from now on."
        if done == "activated"
        else f"The next {algorithm} key is published. It signs in {wait}, by itself: apps know it by then.",
    )


async def published_keys(page: Page) -> list[dict[str, Any]]:
    """The present one of each algorithm first; as console/keys.html describes them."""
    lifecycle = page.state.key_lifecycle
    keys: Sequence[KeyInfo] = await lifecycle.published(page.session)
    rotatable = lifecycle.rotatable(keys)
    return [
        {
            "kid": key.kid,
            "algorithm": key.algorithm,
            "status": key.status,
            "since": key.activated_at or key.created_at,
            "until": _replaced_at(page, key, keys) if key.status == "active" else key.retired_at,
            "rotatable": key.status == "active" and key.algorithm in rotatable,
        }
        for key in sorted(keys, key=lambda key: (_ORDER.index(key.status), key.algorithm))
    ]


def _replaced_at(page: Page, active: KeyInfo, keys: Sequence[KeyInfo]) -> datetime | None:
    """By the next one, if there is one, or by age."""
    for key in keys:
        if (key.status, key.algorithm) == ("next", active.algorithm):
            publish_before: timedelta = page.state.key_lifecycle.publish_before
            return key.created_at + publish_before
    age = timedelta(seconds=page.state.settings.keys.rotate_after)
    return active.activated_at and active.activated_at + age


routes: Final = [
    route(HERE, show_keys, "GET"),
    route(f"{HERE}/rotate", rotate, "POST"),
]
