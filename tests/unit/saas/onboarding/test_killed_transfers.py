"""Killed with SIGKILL at every commit, before it and after it, and while rows are copied: whoever comes next finishes
or undoes it, says which, and no row is lost or doubled."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from saas.audit.tenancy import tell_imported, tell_moved
from saas.onboarding.portable import portable
from saas.onboarding.service import onboard
from saas.services import Services, open_services
from saas.settings import Settings
from tenants.errors import TenancyError
from tenants.migrate.runner import migrate_platform
from tenants.registry import Tenant
from tenants.transfer import passphrase
from tenants.transfer.contents import Fingerprint, fingerprint, tables_of
from tenants.transfer.exporting import export_tenant
from tenants.transfer.importing import Wanted, import_tenant
from tenants.transfer.journal import drop_old_copies
from tenants.transfer.moving import Mover
from tests.factories import NewTenantFactory
from tests.unit.saas.onboarding.killed_transfer import PASSPHRASE

ROOT = Path(__file__).parents[4]
#: What an event of the move changes.
_LOG = {"audit_events", "audit_head"}

Attempt = Callable[..., Awaitable[str]]


@pytest.fixture(scope="module")
async def two(environment: dict[str, str]) -> AsyncIterator[dict[str, str]]:
    """The environment of processes on two databases of their own."""
    admin = await asyncpg.connect(environment["SAAS_DATABASE_URL"])
    names = [f"carry_{secrets.token_hex(6)}" for _ in range(2)]
    for name in names:
        await admin.execute(f'CREATE DATABASE "{name}"')
    home, away = (environment["SAAS_DATABASE_URL"].replace("/postgres?", f"/{name}?") for name in names)
    yield {**environment, "SAAS_DATABASE_URL": home, "SAAS_DATABASES__EU": away}
    for name in names:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture(scope="module")
async def services(two: dict[str, str]) -> AsyncIterator[Services]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in two.items():
            patch.setenv(name, value)
        patch.setattr(passphrase, "_COST", 2)
        async with open_services(Settings()) as opened:
            await migrate_platform(opened.database)
            yield opened


@pytest.fixture(scope="module")
async def attempt(two: dict[str, str]) -> AsyncIterator[Attempt]:
    """`await attempt("move", slug, "eu", 3)`: what became of it."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.unit.saas.onboarding.killed_transfer"),
        cwd=ROOT,
        env={**os.environ, **two},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    commands, answers = program.stdin, program.stdout

    async def make(*words: object) -> str:
        commands.write(f"{' '.join(map(str, words))}\n".encode())
        return (await answers.readline()).decode().strip()

    yield make
    commands.close()
    await program.wait()


@pytest.fixture(scope="module")
async def acme(services: Services) -> Tenant:
    wanted = NewTenantFactory(plan="pro")
    made = await onboard(
        services.database, services.registry, services.keys, **wanted, on="default", owner_hash="of nobody's password"
    )
    async with services.database.tenant_session(made.tenant) as session:
        await session.execute(
            text(
                "INSERT INTO projects (id, name, description, status, created_by, created_at, updated_at) "
                "SELECT gen_random_uuid(), 'Project ' || n, E'tab\\t line\\n \\\\ ü', 'active', 'nobody', now(), now() "
                "FROM generate_series(1, 200) AS n"
            )
        )
    return made.tenant


async def found(services: Services, slug: str) -> Tenant:
    async with services.database.platform_session() as session:
        return await services.registry.get(session, slug)


async def prints(services: Services, tenant: Tenant) -> dict[str, Fingerprint]:
    async with services.database.tenant_session(tenant) as session:
        tables = [table for table in await tables_of(session) if table.name not in _LOG]
        return {table.name: await fingerprint(session, table.name, table.columns) for table in tables}


async def schemas(services: Services, name: str) -> set[str]:
    """Of tenants, and of what they left."""
    query = text("SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname LIKE 't\\_%' OR nspname LIKE 'moved\\_%'")
    async with services.database.platform_session(name) as session:
        return set(await session.scalars(query))


async def test_a_move_is_finished_or_undone_by_the_next(services: Services, attempt: Attempt, acme: Tenant) -> None:
    """To and fro, as one of the two databases holds the registry too."""
    before = await prints(services, acme)
    for target, point, expected in (
        ("eu", "rows", "rolled back"),
        ("eu", 2, "resumed"),  # after the fence
        ("default", 2, "resumed"),
        ("eu", 4, "resumed"),  # after the copy was committed
        ("default", 4, "resumed"),
        ("eu", 6, "done"),  # after the switch, which is one commit there
        ("default", 6, "finished"),  # and two back
    ):
        assert await attempt("move", acme.slug, target, point) == "killed"
        assert await go_on(services, acme, target, undo=expected == "rolled back") == expected
        arrived = await found(services, acme.slug)
        assert (arrived.status, arrived.database) == ("active", "default" if expected == "rolled back" else target)
        assert await prints(services, arrived) == before
        await drop_old_copies(services.database)
        assert await schemas(services, "eu") | await schemas(services, "default") == {acme.schema}


def mover(services: Services) -> Mover:
    return Mover(services.database, services.registry, told=tell_moved, settle=0)


async def go_on(services: Services, acme: Tenant, target: str, *, undo: bool) -> str:
    """What whoever comes next is told."""
    left = await found(services, acme.slug)
    if left.status == "active":
        return "done" if left.database == target else "not begun"
    if undo:
        return (await mover(services).roll_back(acme.slug)).how
    return (await mover(services).move(acme.slug, None, timedelta(0))).how


async def test_an_import_is_begun_anew_by_the_next(
    services: Services, attempt: Attempt, acme: Tenant, tmp_path: Path
) -> None:
    file = tmp_path / "acme.tar.zst"
    carried = portable(services.sealer)
    await export_tenant(services.database, services.registry, acme.slug, file, portable=carried, passphrase=PASSPHRASE)
    slugs = []
    # A transaction that looks comes first. Then: registered; all there, and not active yet; active.
    for point in (4, 6, 8, "rows"):
        slugs.append(f"i{secrets.token_hex(4)}")
        assert await attempt("import", file, slugs[-1], point) == "killed"
        if point != 8:
            assert (await found(services, slugs[-1])).status == "provisioning"
            with pytest.raises(TenancyError, match="import"):
                await onboard(
                    services.database, services.registry, services.keys, **NewTenantFactory(slug=slugs[-1], plan="pro")
                )
            await import_tenant(
                services.database,
                services.registry,
                file,
                Wanted(slug=slugs[-1], database="eu"),
                portable=carried,
                passphrase=PASSPHRASE,
                told=tell_imported,
            )
        arrived = await found(services, slugs[-1])
        assert (arrived.status, arrived.database) == ("active", "eu")
        assert (await prints(services, arrived))["projects"].rows == 200
        assert (await services.keys.ring(arrived)).jwks()["keys"]
    assert len(await schemas(services, "eu")) == len(slugs)
