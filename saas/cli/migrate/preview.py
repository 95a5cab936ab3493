"""`saas migrate --plan` and `--sql`: what would be done."""

from collections import Counter
from typing import TYPE_CHECKING

import typer

from saas.cli import output
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.migrate.plan import Behind
    from tenants.migrate.render import Step

#: Slugs that a line of the table shows before it only counts.
_SHOWN = 5


def print_plan(*, as_json: bool) -> None:
    """Who is behind, by revision, and the revisions that would run."""
    platform, tenants = _waiting()
    groups: dict[tuple[str, str | None], list[Behind]] = {}
    for tenant in tenants:
        groups.setdefault((tenant.database, tenant.revision), []).append(tenant)
    if as_json:
        document = [
            {
                "database": database,
                "revision": revision,
                "runs": [step.revision for step in _steps(revision)],
                "tenants": [tenant.slug for tenant in group],
            }
            for (database, revision), group in groups.items()
        ]
        runs = {name: [step.revision for step in steps] for name, steps in platform.items()}
        output.print_json({"platform": runs, "tenants": document})
        return
    rows: list[tuple[object, ...]] = [
        ("platform", name, None, [step.revision for step in steps], None) for name, steps in platform.items() if steps
    ]
    rows += [
        (f"{len(group)} tenants", database, revision, [step.revision for step in _steps(revision)], _names(group))
        for (database, revision), group in groups.items()
    ]
    output.print_table(("what", "database", "at", "runs", "which"), rows, empty="Nothing is behind.")


def print_sql(*, as_json: bool) -> None:
    """The statements that would run, once for all tenants at the same revision."""
    platform, tenants = _waiting()
    scripts = {f"platform schema of {name}": steps for name, steps in platform.items() if steps}
    for revision, count in Counter(tenant.revision for tenant in tenants).items():
        scripts[f"schemas of {count} tenants at {revision or 'no revision'}"] = _steps(revision)
    if as_json:
        output.print_json(
            [
                {"for": title, "revision": step.revision, "statements": step.statements}
                for title, steps in scripts.items()
                for step in steps
            ]
        )
        return
    for title, steps in scripts.items():
        for step in steps:
            typer.echo(f"-- {title}: {step.revision}\n" + "\n".join(step.statements) + "\n")
    if not scripts:
        output.note("Nothing is behind.")


def _waiting() -> "tuple[dict[str, tuple[Step, ...]], list[Behind]]":
    """What each platform schema waits for, and the tenants that are behind."""
    from tenants.migrate.plan import behind, platform_is_behind, platform_revision  # noqa: PLC0415 - slow to import
    from tenants.migrate.render import PLATFORM  # noqa: PLC0415 - as above

    async def work(services: "Services") -> "tuple[dict[str, tuple[Step, ...]], list[Behind]]":
        database = services.database
        platform: dict[str, tuple[Step, ...]] = {}
        for name in database.names:
            waits = await platform_is_behind(database, name=name)
            platform[name] = PLATFORM.after(await platform_revision(database, name)) if waits else ()
        if platform["default"]:
            output.note("The platform's schema is behind: who else is, the registry can only tell when it is not.")
            return platform, []
        return platform, await behind(database)

    return run(work, migrate=False)


def _steps(revision: str | None) -> "tuple[Step, ...]":
    from tenants.migrate.render import TENANT  # noqa: PLC0415 - as above

    return TENANT.after(revision)


def _names(group: "list[Behind]") -> str:
    more = f" and {len(group) - _SHOWN} more" if len(group) > _SHOWN else ""
    return " ".join(tenant.slug for tenant in group[:_SHOWN]) + more
