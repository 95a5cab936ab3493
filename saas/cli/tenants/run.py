"""`saas tenants run`: a command for one tenant or for each."""

import asyncio
import os
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.registry import Tenant

#: What shells say of a command that is not there.
_NOT_FOUND: Final = 127
_STANDARD_ERROR: Final = 2
#: Bytes of a line of output that is passed on in one piece.
_LINE: Final = 1 << 20
#: Those that have a schema, and nobody moves it.
_READY: Final = frozenset({"active", "suspended"})


@dataclass(frozen=True, slots=True)
class Ended:
    tenant: str
    exit_code: int
    seconds: float


def run_command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[SLUG] -- COMMAND...", help="A tenant's slug, unless --all; the command.", show_default=False
        ),
    ],
    every: Annotated[bool, typer.Option("--all", help="Once for each tenant that is active or suspended.")] = False,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="With --all: how many at once.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Run a command for a tenant, or once for each, with the tenant in its environment.

    SAAS_TENANT is the slug (SAAS_TENANT_ID, _SCHEMA and _ISSUER the rest); PGHOST, PGDATABASE, PGOPTIONS and so on, and
    DATABASE_URL, lead psql, pg_dump and any program on libpq to the tenant's schema and to no other. They connect
    directly: through PgBouncer, which drops PGOPTIONS, they find no table.

    For one tenant it is as if the command had been run itself, exit code included. With --all its output is on
    standard error, each line behind its tenant, the exit codes are a table, and it fails where one has failed.
    """
    slug, command = (None, words) if every else (words[0], words[1:])
    if not command:
        output.fail("There is no command: write it behind two hyphens, like `saas tenants run acme -- psql`", code=2)
    ended = run(lambda services: _run(services, slug, command, parallel, as_json=as_json))
    if as_json:
        output.print_json([asdict(each) for each in ended])
    elif every:
        rows = [[each.tenant, each.exit_code, f"{each.seconds:.1f}"] for each in ended]
        output.print_table(("tenant", "exit code", "seconds"), rows, empty="There is no tenant to run it for.")
    failed = [each for each in ended if each.exit_code]
    if failed:
        raise typer.Exit(1 if every else failed[0].exit_code)


async def _run(
    services: "Services", slug: str | None, command: Sequence[str], parallel: int, *, as_json: bool
) -> list[Ended]:
    async with services.database.platform_session() as session:
        if slug is None:
            chosen = [tenant for tenant in await services.registry.all(session) if tenant.status in _READY]
        else:
            chosen = [await services.registry.get_made(session, slug)]
    if slug is not None:
        return [await _run_one(services, chosen[0], command, to_error=as_json)]
    ended: list[Ended] = []
    waiting = iter(chosen)
    with output.progress_bar("Tenants") as progress:

        async def take(left: Iterator["Tenant"]) -> None:
            for tenant in left:
                ended.append(await _run_one(services, tenant, command, label=tenant.slug))
                progress.update(len(ended), len(chosen))

        await asyncio.gather(*(take(waiting) for _ in range(parallel)))
    return sorted(ended, key=lambda each: each.tenant)


async def _run_one(
    services: "Services", tenant: "Tenant", command: Sequence[str], *, label: str = "", to_error: bool = False
) -> Ended:
    """With a label, its output is passed on line by line; else the command has this process's terminal."""
    from saas.cli.tenants.binding import environment_of  # noqa: PLC0415 - slow to import: not for `--help`

    began = time.monotonic()
    environment = {**os.environ, **environment_of(tenant, services.database.engine_of(tenant.database).url)}
    try:
        if label:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, limit=_LINE
            )
        else:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdout=_STANDARD_ERROR if to_error else None
            )
    except OSError as error:
        output.note(f"{command[0]}: {error.strerror}")
        return Ended(tenant.slug, _NOT_FOUND, 0.0)
    try:
        await _pass_on(process, label)
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    return Ended(tenant.slug, code if code >= 0 else 128 - code, round(time.monotonic() - began, 3))


async def _pass_on(process: Process, label: str) -> None:
    while process.stdout is not None:
        try:
            line = await process.stdout.readline()
        except ValueError:  # longer than a line may be: what was read of it is gone
            line = b"(a line that is too long)"
        if not line:
            return
        output.note(f"{label} | {line.decode(errors='replace').rstrip()}")
