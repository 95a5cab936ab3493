"""The page that asks a person whether an app may act for them."""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from saas.authserver.destination import Destination
from saas.authserver.redirect_uris import is_loopback
from saas.identity.signed_in import SignedIn
from saas.web.pages import render

#: Fields of its form: what the person decided, and which scopes they saw.
DECISION: Final = "decision"
SHOWN: Final = "scopes"
ALLOW: Final = "allow"


def show(
    request: Request,
    destination: Destination,
    person: SignedIn,
    scopes: Collection[str],
    remembered: Collection[str],
    *,
    switch_url: str,
) -> Response:
    return render(
        request,
        "oauth/consent.html",
        form_action=(destination.redirect_uri,),
        app_name=destination.client.name,
        destination=_place(destination.redirect_uri),
        user={"name": person.name, "email": person.email},
        switch_url=switch_url,
        scopes=[scope for scope in request.app.state.catalogue if scope.name in scopes],
        new=set(scopes).difference(remembered) if remembered else set(),
        hidden={SHOWN: " ".join(scopes)},
    )


def _place(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    if parts.scheme in {"http", "https"} and not is_loopback(redirect_uri):
        return parts.netloc
    return "an app on this device"
