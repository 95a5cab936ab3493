"""A tenant's colour and logo, from the command that sets them to the pages that show them."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from saas.cli import app as cli
from saas.services import Services
from tenants.branding import MAX_LOGO, set_accent, set_logo
from tenants.errors import InvalidBranding
from tenants.registry import Tenant

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
JPEG = b"\xff\xd8\xff" + bytes(100)


@pytest.mark.parametrize("accent", ["red", "#fff", "#12345g", "#1234567", "", "#123456;}"])
async def test_what_is_no_colour_is_refused(services: Services, shared_tenant: Tenant, accent: str) -> None:
    async with services.database.platform_session() as session:
        with pytest.raises(InvalidBranding, match="write it like"):
            await set_accent(session, shared_tenant, accent)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg xmlns='...'/>", PNG + bytes(MAX_LOGO)], ids=len)
async def test_what_is_no_logo_is_refused(services: Services, shared_tenant: Tenant, content: bytes) -> None:
    async with services.database.platform_session() as session:
        with pytest.raises(InvalidBranding):
            await set_logo(session, shared_tenant, content)


async def test_pages_follow_within_a_second_and_the_logo_is_the_tenants_alone(
    services: Services, tenant: Tenant, other_tenant: Tenant, client_of: Callable[[Tenant], httpx.AsyncClient]
) -> None:
    client = client_of(tenant)
    plain = (await client.get("/signin")).text
    assert "/static/logo/" not in plain
    for content, kind in ((PNG, "image/png"), (JPEG, "image/jpeg")):
        async with services.database.platform_session() as session:
            await set_accent(session, tenant, "#0A7B34")
            await set_logo(session, tenant, content)
            name = (await services.registry.get(session, tenant.slug)).logo
        page = await shown(client, f"/static/logo/{name}")
        stylesheet = re.findall(r'href="(/static/brand\.css[^"]*)"', page)
        assert "--accent:#0a7b34" in (await client.get(stylesheet[0])).text
        logo = await client.get(f"/static/logo/{name}")
        assert (logo.status_code, logo.headers["content-type"], logo.content) == (200, kind, content)
        assert (await client_of(other_tenant).get(f"/static/logo/{name}")).status_code == 404
        assert (await client.get("/static/logo/0123456789abcdef.png")).status_code == 404


async def shown(client: httpx.AsyncClient, text: str) -> str:
    """The sign-in page, once it shows `text`."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        page = (await client.get("/signin")).text
        if text in page:
            return page
        await asyncio.sleep(0.02)
    raise AssertionError(f"{text} was not shown in time")


def test_the_command_sets_and_resets(
    environment: dict[str, str], tenant: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    logo = tmp_path / "logo.png"
    logo.write_bytes(PNG)
    runner = CliRunner()
    brand = ("tenants", "brand", tenant.slug)
    assert runner.invoke(cli, [*brand, "--accent", "#0a7b34", "--logo", str(logo)]).exit_code == 0
    shown = runner.invoke(cli, ["tenants", "show", tenant.slug, "--json"]).stdout
    assert '"accent": "#0a7b34"' in shown
    assert re.search(r'"logo": "[0-9a-f]{16}\.png"', shown)
    assert "write it like" in runner.invoke(cli, [*brand, "--accent", "green"]).stderr
    assert runner.invoke(cli, [*brand, "--reset"]).exit_code == 0
    assert '"accent": null' in runner.invoke(cli, ["tenants", "show", tenant.slug, "--json"]).stdout
