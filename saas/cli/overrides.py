"""`saas tenants override`: what one tenant has beyond its plan, for a while."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.times import parse_until

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.services import Services
    from tenants.overrides import Override


def override(
    slug: Annotated[str, typer.Argument(help="The tenant's short name, as in its host.", show_default=False)],
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUE]...",
            help="Like requests_per_minute=1200, burst=x2 (twice what the plan says), features=+audit-export.",
        ),
    ] = None,
    *,
    until: Annotated[
        str | None,
        typer.Option(
            help="When it ends, in UTC: friday or 2026-12-01 (as that day begins), 2026-12-01T18:00, 48h.",
            show_default="when it is cleared",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Change nothing.")] = False,
    clear: Annotated[
        bool, typer.Option("--clear", help="End the overrides of the fields that are named, or all of them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Give a tenant more, or less, than its plan does; servers follow within a second, at the end too.

    Fields are those that `saas plans show` names. What is left out stays as it is.
    """
    from saas.audit.tenancy import change_tenant  # noqa: PLC0415 - slow to import: not for `--help`
    from tenants import overrides, plan_changes  # noqa: PLC0415

    if show + clear + (until is not None) > 1 or (show and changes) or not (show or clear or changes):
        output.fail("Give FIELD=VALUE, like burst=x2, perhaps with --until; or --clear; or --list", code=2)
    end = None if until is None else parse_until(until, datetime.now(UTC))

    async def work(services: "Services") -> "tuple[Override, ...]":
        async with services.database.platform_session() as session:
            tenant = await services.registry.get(session, slug)
            if show:
                return await overrides.list_overrides(session, slug)

        def change(session: "AsyncSession") -> "Awaitable[tuple[Override, ...]]":
            if clear:
                return overrides.clear_overrides(session, slug, plan_changes.named(changes or ()))
            return overrides.set_overrides(session, slug, plan_changes.parse(changes or ()), end)

        action = "tenant.override_removed" if clear else "tenant.override_set"
        return await change_tenant(services.database, tenant, action, change, fields=changes or (), until=end)

    _print_overrides(slug, run(work), as_json)


def _print_overrides(slug: str, found: "tuple[Override, ...]", as_json: bool) -> None:
    if as_json:
        output.print_json([{"field": each.field, "value": each.value, "until": each.until} for each in found])
        return
    rows = [(each.field, each.value, each.until or "when it is cleared") for each in found]
    output.print_table(("field", "value", "until"), rows, empty=f"{slug} has what its plan says.")
