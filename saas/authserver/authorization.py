"""What a person has allowed a client: what an authorization code, a refresh token or a device code stands for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from saas.authserver.claims import Person
from saas.authserver.client import Client
from saas.authserver.scopes import OFFLINE_ACCESS


@dataclass(frozen=True, slots=True)
class Holder:
    """The person whose authorization it is, as things stand at this moment."""

    user_id: UUID
    #: Neither disabled nor gone.
    active: bool
    #: What their roles give; identity scopes are not limited by roles, so they are in it.
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Authorization:
    """The tokens that come of one authorization, however often they are refreshed, have its `grant_id`."""

    #: The `gid` claim of the access tokens, and the id of the refresh family.
    grant_id: UUID
    client: Client
    user_id: UUID
    #: What is granted now; a refresh token may stand for more, which it keeps (RFC 6749 section 6).
    scopes: tuple[str, ...]
    #: The browser session it was given in; None where there was none, or where the client must not learn of it.
    session_id: UUID | None
    #: When and how the person proved who they are (OpenID Connect `auth_time`, `amr`).
    authenticated_at: datetime
    amr: tuple[str, ...]
    #: Of the authorization request, for the ID token; None at a refresh (OpenID Connect Core section 12.2).
    nonce: str | None = None
    #: RFC 8707; None: the issuer itself is the audience.
    resource: str | None = None
    #: What ID tokens may tell of them; None where nobody has looked.
    person: Person | None = None

    @property
    def offline(self) -> bool:
        """Whether a refresh token belongs to it."""
        return OFFLINE_ACCESS in self.scopes and self.client.check_grant_type("refresh_token")


def granted(asked: Iterable[str], client: Client, holder: Holder) -> tuple[str, ...]:
    """Of the scopes `asked`, those that the client may have and that the person's roles give, in their order.

    Offline access is nothing to a client that cannot refresh, so nobody is asked for it.
    """
    allowed = holder.scopes.intersection(client.scopes)
    if not client.check_grant_type("refresh_token"):
        allowed -= {OFFLINE_ACCESS}
    return tuple(scope for scope in asked if scope in allowed)
