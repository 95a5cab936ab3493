"""What people do with second factors, as their browsers do it."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
from pyotp import TOTP

from tests.unit.saas.identity.authenticator import Authenticator
from tests.unit.saas.identity.world import Browser, World

STEP = timedelta(seconds=30)
SECURITY = "/account/security"
SECOND, ENROL = "/signin/second", "/signin/enrol"


def hidden(page: httpx.Response, name: str) -> str:
    return unescape(re.findall(rf'name="{name}" value="([^"]+)"', page.text)[0])


def options_of(page: httpx.Response) -> dict[str, Any]:
    """What the page asks of the browser's authenticator."""
    found: dict[str, Any] = json.loads(unescape(re.findall(r'data-options="([^"]+)"', page.text)[0]))
    return found


def codes_of(page: httpx.Response) -> list[str]:
    return re.findall(r"<li>([a-z0-9]{5}(?:-[a-z0-9]{5}){3})</li>", page.text)


class Phone:
    """An authenticator app."""

    def __init__(self, world: World, page: httpx.Response) -> None:
        key = re.findall(r'class="id">([A-Z2-7 ]+)<', page.text)[0]
        self.world, self.totp = world, TOTP(key.replace(" ", ""))

    def code(self, steps: int = 0) -> str:
        """What it shows; or will in so many steps."""
        return self.totp.at(self.world.clock() + steps * STEP)


async def add_app(world: World, browser: Browser) -> tuple[Phone, httpx.Response]:
    """Of somebody signed in; with the page that follows."""
    page = await browser.get(f"{SECURITY}/totp")
    phone = Phone(world, page)
    return phone, await browser.post(f"{SECURITY}/totp", secret=hidden(page, "secret"), code=phone.code())


async def add_passkey(browser: Browser, key: Authenticator | None = None) -> tuple[Authenticator, httpx.Response]:
    key = key or Authenticator(browser.tenant.issuer)
    page = await browser.get(f"{SECURITY}/passkeys")
    answer = key.create(options_of(page))
    fields = {"state": hidden(page, "state"), "credential": answer, "name": "My key"}
    return key, await browser.post(f"{SECURITY}/passkeys", **fields)


async def use_passkey(browser: Browser, path: str, key: Authenticator, action: str = "") -> httpx.Response:
    """Answer the challenge of the page at `path`."""
    page = await browser.get(path)
    answer = key.get(options_of(page))
    return await browser.post(action or f"{path}/passkey", state=hidden(page, "state"), credential=answer)
