"""Whether a form was sent from a page of ours: a signed double-submit cookie, tied to the browser session.

The form carries an HMAC over the cookie, the tenant and the session; who cannot read our pages cannot make it, and a
cookie that somebody plants fits no session. Tenants are neighbours under one registrable domain, where SameSite does
not part them: the Origin and Sec-Fetch-Site headers do, which every present browser sends.
"""

import hashlib
import hmac
import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from saas.kit.crypto import same
from saas.web.problems import PageError

#: The name of the form's hidden field.
FIELD: Final = "csrf"
_COOKIE_BYTES: Final = 32
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{86}==")
_MAC_BYTES: Final = 32
#: A form of a page has few fields; more is not one of ours.
_MAX_FIELDS: Final = 64
_MAX_FILES: Final = 1
_UPLOADS: Final = "saas.uploads"


class CsrfError(PageError):
    status = 403
    code = "form-refused"
    title = "This form is no longer valid"


class Csrf:
    """Issues and checks form tokens.

    `key` is the master key: what signs is derived from it. `secure` says that browsers reach us over https, perhaps at
    a proxy. A session counts through `scope["session_id"]`, a string that whoever loads the browser session puts there;
    the page with the form and the route that takes it must agree on whether they load it.
    """

    def __init__(self, key: bytes, secure: bool) -> None:
        self._key = hmac.digest(key, b"saas form tokens", hashlib.sha256)
        self._scheme = "https" if secure else "http"
        # __Host-: set by this very host over https, for all its paths; a neighbour cannot plant one (RFC 6265bis).
        self.cookie_name = "__Host-csrf" if secure else "csrf"
        self._attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    def issue(self, request: HTTPConnection) -> tuple[str, str | None]:
        """A token for a form, and the Set-Cookie value that must go with it where the browser has no cookie yet.

        Tokens differ at each call, so that compression of the answer tells nothing of them (BREACH).
        """
        cookie, set_cookie = self._cookie(request), None
        if cookie is None:
            cookie = secrets.token_urlsafe(_COOKIE_BYTES)
            set_cookie = f"{self.cookie_name}={cookie}{self._attributes}"
        mask = os.urandom(_MAC_BYTES)
        return urlsafe_b64encode(mask + _xor(mask, self._mac(request, cookie))).decode(), set_cookie

    def check(self, request: HTTPConnection, form: Mapping[str, str]) -> None:
        """Raises CsrfError unless the form came from a page of ours in this browser and session."""
        cookie, token = self._cookie(request), form.get(FIELD, "")
        if not self._is_ours(request) or cookie is None or not _TOKEN.fullmatch(token):
            raise CsrfError("Go back, reload the page, and try again. Cookies must be allowed for this site.")
        decoded = urlsafe_b64decode(token)
        if not same(_xor(decoded[:_MAC_BYTES], decoded[_MAC_BYTES:]), self._mac(request, cookie)):
            raise CsrfError(
                "You may have signed in or out since it was shown. Go back, reload the page, and try again."
            )

    def _is_ours(self, request: HTTPConnection) -> bool:
        """What the browser itself says of the sending page; browsers that say nothing are held to the token alone."""
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() != f"{self._scheme}://{request.headers.get('host', '').lower()}":
            return False
        # "none" is the person: a reload, say. "same-site" is another tenant.
        return request.headers.get("sec-fetch-site", "none") in {"same-origin", "none"}

    def _cookie(self, request: HTTPConnection) -> str | None:
        cookie = request.cookies.get(self.cookie_name, "")
        return cookie if _COOKIE.fullmatch(cookie) else None

    def _mac(self, request: HTTPConnection, cookie: str) -> bytes:
        tenant, session = request.scope.get("tenant"), request.scope.get("session_id")
        bound = (cookie, tenant.id.hex if tenant else "", session or "")
        return hmac.digest(self._key, "\0".join(bound).encode(), hashlib.sha256)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form that a page of ours sent, the last value of each; checked with `app.state.csrf`.

    A file that came with them is kept for `uploaded`. Raises CsrfError, and PageError where the body is no form.
    """
    try:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            form = await _read_parts(request)
        else:
            body = (await request.body()).decode()
            form = dict(parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS))
    except (ValueError, HTTPException) as error:  # UnicodeDecodeError is a ValueError too
        raise PageError("The form could not be read. Go back, reload the page, and try again.") from error
    csrf: Csrf = request.app.state.csrf
    csrf.check(request, form)
    return form


def uploaded(request: Request, name: str) -> bytes:
    """The content of the file that `read_form` found under this name; nothing where there was none."""
    content: bytes = request.scope.get(_UPLOADS, {}).get(name, b"")
    return content


async def _read_parts(request: Request) -> dict[str, str]:
    form: dict[str, str] = {}
    files: dict[str, bytes] = request.scope.setdefault(_UPLOADS, {})
    async with request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS) as sent:
        for name, value in sent.multi_items():
            if isinstance(value, str):
                form[name] = value
            else:
                files[name] = await value.read()
    return form


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
