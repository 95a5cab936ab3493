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
import zstandard
from sqlalchemy import text

from saas.audit.tenancy import tell_imported, tell_moved
from saas.identity.factors import totp_context
from saas.identity.service import create_owner
from saas.kit.crypto import UnsealError
from saas.onboarding.portable import portable
from saas.onboarding.service import onboard
from saas.services import Services, open_services
from saas.settings import Settings
from tenants import provisioning
from tenants.branding import set_accent
from tenants.errors import TenancyError
from tenants.migrate.render import TENANT
from tenants.migrate.runner import migrate_platform, migrate_tenant
from tenants.overrides import set_overrides
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
SECRET = b"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

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
        ("default", 4, "resumed"),  # after the copy was committed
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
    # A transaction that only looks comes first. Rows: registered; 6: all there, and not active yet; 8: active.
    for point in ("rows", 6, 8):
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
        assert (await services.keys.ring(arrived)).jwks() == (await services.keys.ring(acme)).jwks()
    assert len(await schemas(services, "eu")) == len(slugs)


async def test_an_archive_of_an_older_revision_arrives_at_the_head_with_its_secrets(
    services: Services, tmp_path: Path
) -> None:
    """Of a release that had fewer tables, and into whose archive this release's operator types another slug."""
    old = await of_an_older_release(services)
    file, carried = tmp_path / "old.tar.zst", portable(services.sealer)
    exported = await export_tenant(
        services.database, services.registry, old.slug, file, portable=carried, passphrase=PASSPHRASE
    )
    assert (exported.revision, exported.secrets) == ("0005", 2)
    assert SECRET not in zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read()
    imported = await import_tenant(
        services.database,
        services.registry,
        file,
        Wanted(slug=f"{old.slug}-new", database="default"),
        portable=carried,
        passphrase=PASSPHRASE,
        told=tell_imported,
    )
    new = imported.tenant
    assert (new.revision, imported.migrated) == (TENANT.head, len(TENANT.after("0005")))
    assert (new.status, new.suspended_reason, new.accent) == ("suspended", "unpaid", "#3451d1")
    assert new.plan.users == 7
    assert any("notes.example" in note for note in imported.notes), "the domain has to be proved again"
    async with services.database.tenant_session(new) as session:
        user, sealed = (await session.execute(text("SELECT user_id, secret FROM totp_factors"))).one()
        assert await session.scalar(text("SELECT count(*) FROM sessions")) == 0
    assert services.sealer.open(sealed, totp_context(new.id, user)) == SECRET
    with pytest.raises(UnsealError):
        services.sealer.open(sealed, totp_context(old.id, user))


async def of_an_older_release(services: Services) -> Tenant:
    """Suspended, with looks of its own, a domain and an override; a person with an app, who is signed in."""
    wanted = NewTenantFactory(plan="pro", domain="notes.example")
    made = await provisioning.create_row(
        services.database, services.registry, **{name: wanted[name] for name in ("slug", "name", "plan", "domain")}
    )
    await migrate_tenant(services.database, made, target="0005")
    async with services.database.tenant_session(made) as session:
        await services.keys.create_first(session, made.id)
        await create_owner(session, wanted["owner_email"], "of nobody's password")
        await session.execute(
            text(
                "INSERT INTO totp_factors (user_id, secret, last_step, created_at, updated_at) "
                "SELECT id, :secret, 0, now(), now() FROM users"
            ),
            {"secret": b""},
        )
        owner = await session.scalar(text("SELECT id FROM users"))
        await session.execute(
            text("UPDATE totp_factors SET secret = :secret"),
            {"secret": services.sealer.seal(SECRET, totp_context(made.id, owner))},
        )
        await session.execute(
            text(
                "INSERT INTO sessions (id, user_id, digest, authenticated_at, amr, last_seen_at, expires_at, address, "
                "user_agent, created_at, updated_at) SELECT gen_random_uuid(), id, 'x', now(), '{pwd}', now(), now(), "
                "'', '', now(), now() FROM users"
            )
        )
        await provisioning.activate(session, made)
        await set_accent(session, made, "#3451d1")
        await set_overrides(session, made.slug, {"users": "7"}, None)
        return await services.registry.suspend(session, made.slug, "unpaid")
