"""A tenant's looks in the console."""

from fastapi import FastAPI

from saas.services import Services
from tenants.branding import MAX_LOGO
from tenants.registry import Tenant
from tests.unit.saas.console.settings_world import administrator, events
from tests.unit.saas.identity.world import Browser

BRANDING = "/console/branding"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
CHANGED = "tenant.branding_changed"


async def upload(browser: Browser, content: bytes, name: str = "logo.png") -> tuple[int, str]:
    answer = await browser.http.post(
        f"{BRANDING}/logo", data={"csrf": browser.token}, files={"logo": (name, content, "image/png")}
    )
    return answer.status_code, answer.text


async def test_name_and_colour_are_previewed_then_saved(app: FastAPI, services: Services, tenant: Tenant) -> None:
    async with administrator(app, services, tenant) as here:
        await here.get(BRANDING)
        shown = (await here.post(BRANDING, name="<Lemon> & Co", accent="FFE14D", step="preview")).text
        assert "nothing is saved yet" in shown
        assert "preview.css?accent=%23ffe14d" in shown
        assert "&lt;Lemon&gt; &amp; Co</span>" in shown
        css = (await here.http.get(f"{BRANDING}/preview.css?accent=%23ffe14d")).text
        assert "--accent:#ffe14d;--on-accent:#000000" in css
        for strange in ("", "red", "#fff}body{"):
            plain = await here.http.get(f"{BRANDING}/preview.css", params={"accent": strange})
            assert "--accent:#3451d1;" in plain.text

        for typed, message in (
            ({"name": " ", "accent": "#ffe14d"}, "Enter a name of 1 to 200 characters"),
            ({"name": "x" * 201, "accent": ""}, "Enter a name of 1 to 200 characters"),
            ({"name": "Lemon", "accent": "yellow"}, "Write the colour as #"),
        ):
            wrong = await here.post(BRANDING, **typed, step="save")
            assert (wrong.status_code, message in wrong.text) == (422, True)
        assert await events(services, tenant, CHANGED) == []

        saved = await here.post(BRANDING, name="<Lemon> & Co", accent="FFE14D", step="save")
        assert saved.headers["location"] == BRANDING
        after = (await here.get(BRANDING)).text
        assert "<title>Branding · &lt;Lemon&gt; &amp; Co</title>" in after
        assert "This is a preview" not in after
        assert 'value="#ffe14d"' in after
        await here.post(BRANDING, name="<Lemon> & Co", accent="#ffe14d", step="save")
        [event] = await events(services, tenant, CHANGED)
        assert event.details == {"name": "<Lemon> & Co", "accent": "#ffe14d"}


async def test_a_logo_is_uploaded_shown_and_removed(app: FastAPI, services: Services, tenant: Tenant) -> None:
    async with administrator(app, services, tenant) as here:
        await here.get(BRANDING)
        for content, message in (
            (b"", "Choose a file first."),
            (b"<svg onload='alert(1)'/>", "not a PNG, JPEG or WebP image"),
            (PNG + bytes(MAX_LOGO), "The file has 65 kB: at most 64 kB are allowed."),
        ):
            status, page = await upload(here, content)
            assert (status, message in page) == (422, True)
        assert (await upload(here, PNG))[0] == 303
        page = (await here.get(BRANDING)).text
        address = page.partition('class="logo" src="')[2].partition('"')[0]
        assert (await here.http.get(address)).content == PNG
        token, here.token = here.token, "x"
        assert (await upload(here, PNG))[0] == 403
        here.token = token
        broken = await here.http.post(
            f"{BRANDING}/logo", content=b"--x\r\nno", headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert broken.status_code in {400, 403}
        assert (await here.post(f"{BRANDING}/logo/remove")).status_code == 303
        assert "/static/logo/" not in (await here.get(BRANDING)).text
        assert [event.details for event in await events(services, tenant, CHANGED)] == [{"logo": False}, {"logo": True}]
