"""One process and one registry over two databases: `saas databases`, and tenants that are not at home."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from saas.cli import app
from saas.main import create_app
from saas.onboarding.service import Onboarded, onboard
from saas.services import Services, open_services
from saas.settings import Settings

Saas = Callable[..., Result]
_PASSWORD = "not-to-be-shown"


@pytest.fixture(scope="module")
async def saas(environment: dict[str, str]) -> AsyncIterator[Saas]:
    """`saas("databases", "list")`: run a command on two databases that `saas migrate` has made ready."""
    admin = await asyncpg.connect(environment["SAAS_DATABASE_URL"])
    names = [f"d{uuid4().hex}" for _ in range(2)]
    for name in names:
        await admin.execute(f'CREATE DATABASE "{name}"')
    home, away = (environment["SAAS_DATABASE_URL"].replace("/postgres?", f"/{name}?") for name in names)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment | {"SAAS_DATABASE_URL": home, "SAAS_DATABASES__EU": away}).items():
            patch.setenv(name, value)
        yield run
    for name in names:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_tenants_are_made_listed_and_removed_where_one_says(saas: Saas) -> None:
    document(saas("migrate", "--json"))
    owner = ("--owner-email", "ann@example.com", "--json")
    made = [document(saas("tenants", "create", slug, *owner))["tenant"] for slug in ("one", "two")]
    assert [tenant["database"] for tenant in made] == ["default", "eu"]
    chosen = document(saas("tenants", "create", "three", "--database", "eu", *owner))["tenant"]
    assert (chosen["database"], chosen["status"]) == ("eu", "active")
    listed = document(saas("databases", "list", "--json"))
    assert [(each["name"], each["tenants"], each["weight"], each["problem"]) for each in listed] == [
        ("default", 1, 1, None),
        ("eu", 2, 1, None),
    ]
    assert document(saas("tenants", "delete", "two", "--now", "--yes", "--json"))
    assert [each["tenants"] for each in document(saas("databases", "list", "--json"))] == [1, 1]


def test_an_unknown_database_is_named_with_the_next_step(saas: Saas) -> None:
    result = saas("tenants", "create", "five", "--owner-email", "ann@example.com", "--database", "mars")
    assert result.exit_code == 1
    assert "SAAS_DATABASES__MARS" in result.stderr


def test_the_table_shows_no_password_and_who_does_not_answer(saas: Saas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAAS_DATABASES__MOON", f"postgresql://me:{_PASSWORD}@127.0.0.1:1/moon")
    monkeypatch.setenv("SAAS_DATABASE_WEIGHTS", "moon:0,eu:3")
    result = saas("databases", "list")
    assert result.exit_code == 1
    assert "127.0.0.1:1/moon" in result.stdout
    assert "No answer from moon" in result.stderr
    assert _PASSWORD not in result.output + result.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SAAS_DATABASES__DEFAULT", "postgresql://x/y", "SAAS_DATABASES__EU"),
        ("SAAS_DATABASES__1ST", "postgresql://x/y", "SAAS_DATABASES__EU"),
        ("SAAS_DATABASES__US", "mysql://me:secret@x/y", "not a postgresql:// URL"),
        ("SAAS_DATABASE_WEIGHTS", "mars:1", "SAAS_DATABASES__NAME"),
        ("SAAS_DATABASE_WEIGHTS", "eu:-1", "SAAS_DATABASE_WEIGHTS"),
        ("SAAS_DATABASE_WEIGHTS", "eu", "SAAS_DATABASE_WEIGHTS"),
    ],
)
def test_wrong_settings_are_told(saas: Saas, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    result = saas("databases", "list")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "secret" not in result.stderr


async def test_one_process_serves_both_and_hears_of_changes_in_both(saas: Saas) -> None:
    assert saas is not None
    settings = Settings()
    async with open_services(settings) as services:
        made = await _onboard(services, "six", "ann@example.com")
        application = create_app(settings)
        async with (
            application.router.lifespan_context(application),
            httpx.AsyncClient(transport=httpx.ASGITransport(application)) as client,
        ):
            home = made.tenant.issuer.replace("six", "one")
            assert (await client.get(f"{home}/readyz")).status_code == 200
            assert [await _count_keys(client, issuer) for issuer in (home, made.tenant.issuer)] == [1, 1]
            await services.keys.ring_with(made.tenant, "RS256")
            async with asyncio.timeout(10):
                while await _count_keys(client, made.tenant.issuer) != 2:  # noqa: ASYNC110 - it is told to nobody
                    await asyncio.sleep(0.05)


async def _count_keys(client: httpx.AsyncClient, issuer: str) -> int:
    return len((await client.get(f"{issuer}/oauth2/jwks")).json()["keys"])


async def test_creating_goes_on_where_only_the_schema_was_committed(saas: Saas) -> None:
    """Killed between the two commits, the registry still says that the tenant is being made."""
    assert saas is not None
    async with open_services(Settings()) as services:
        first = await _onboard(services, "seven", "ann@example.com")
        async with services.database.platform_session() as session:
            await session.execute(text("UPDATE platform.tenants SET status = 'provisioning' WHERE slug = 'seven'"))
        again = await _onboard(services, "seven", "bob@example.com")
        assert again.created
        assert again.owner_password != first.owner_password
        async with services.database.tenant_session(again.tenant) as session:
            assert (await session.scalars(text("SELECT email FROM users"))).all() == ["bob@example.com"]
            assert await session.scalar(text("SELECT count(*) FROM signing_keys")) == 1


async def _onboard(services: Services, slug: str, email: str) -> Onboarded:
    return await onboard(
        services.database,
        services.registry,
        services.keys,
        slug=slug,
        name=slug,
        plan="free",
        owner_email=email,
        on="eu",
    )
