"""The kinds of app that an administrator can choose from, and what each brings along. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from saas.authserver import device
from saas.authserver.redirect_uris import is_loopback, problem_with

KindName = Literal["web", "single_page", "mobile", "machine", "device"]
_CODE: Final = "authorization_code"
_REFRESH: Final = "refresh_token"
_OWN: Final = "client_credentials"
_ON_THE_WEB: Final = frozenset({"web", "single_page"})


@dataclass(frozen=True, slots=True)
class Kind:
    """`about` is for people who have never heard of OAuth. `auth_method` after RFC 7591, as are the grants."""

    name: KindName
    label: str
    about: str
    grant_types: tuple[str, ...]
    auth_method: str

    @property
    def public(self) -> bool:
        """It runs where whoever uses it can read its code: a secret would be none."""
        return self.auth_method == "none"

    @property
    def redirects(self) -> bool:
        """People come back to it in a browser."""
        return _CODE in self.grant_types

    @property
    def for_people(self) -> bool:
        return _OWN not in self.grant_types


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "web",
            "Web app",
            "Pages that a server of yours makes: Django, Rails, Next.js. It keeps a secret on that server.",
            (_CODE, _REFRESH),
            "client_secret_basic",
        ),
        Kind(
            "single_page",
            "Single-page app",
            "JavaScript that runs in the browser and calls the API from there: React, Vue, Angular.",
            (_CODE, _REFRESH),
            "none",
        ),
        Kind(
            "mobile",
            "Mobile or desktop app",
            "A program that people install on a phone, a tablet or a computer.",
            (_CODE, _REFRESH),
            "none",
        ),
        Kind(
            "machine",
            "Machine",
            "A script, a job or a server that acts for itself, with nobody signed in.",
            (_OWN,),
            "client_secret_basic",
        ),
        Kind(
            "device",
            "Device without a browser",
            "A TV, a printer or a command line: people type a short code on their phone to let it in.",
            (device.GRANT_TYPE, _REFRESH),
            "none",
        ),
    )
}


def kind_of(registered: str | None, grant_types: Iterable[str], auth_method: str, redirect_uris: Iterable[str]) -> Kind:
    """The kind as it is registered; where that says nothing, the one that the rest looks like."""
    if (known := KINDS.get(registered or "")) is not None:
        return known
    grants = set(grant_types)
    if _CODE not in grants:
        return KINDS["device" if device.GRANT_TYPE in grants else "machine"]
    if auth_method != "none":
        return KINDS["web"]
    return KINDS["single_page" if all(map(_is_web, redirect_uris)) else "mobile"]


def problem_with_redirect(uri: str, kind: str | None) -> str | None:
    """As `redirect_uris.problem_with`, and whether an app of that kind can be there; any kind where it is None."""
    problem = problem_with(uri)
    if problem is not None or kind not in _ON_THE_WEB or uri.startswith(("https:", "http:")):
        return problem
    return f"a {KINDS[kind].label.lower()} is reached at a web address: begin with https://"


def _is_web(uri: str) -> bool:
    return urlsplit(uri).scheme == "https" or (is_loopback(uri) and "localhost" in uri)
