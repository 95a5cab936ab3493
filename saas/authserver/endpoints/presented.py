"""A token that a client presents to ask about it, or to end it: not to use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saas.authserver.client import Client
from saas.authserver.refresh import RefreshToken
from saas.authserver.store import Family, FamilyStore


@dataclass(frozen=True, slots=True)
class PresentedAccessToken:
    """One that the issuer has signed and that has not expired. It may have been revoked."""

    claims: Mapping[str, Any]

    @property
    def ids(self) -> list[str]:
        """By which it may have been revoked."""
        return [self.claims[name] for name in ("jti", "gid") if name in self.claims]

    def check_client(self, client: Client) -> bool:
        """As Authlib calls it."""
        return bool(self.claims["client_id"] == client.client_id)


@dataclass(frozen=True, slots=True)
class PresentedRefreshToken:
    """One whose family there is. Its secret may be any."""

    secret: str = field(repr=False)
    family: Family

    def check_client(self, _: Client) -> bool:
        """As Authlib calls it. The family knows to whom it was presented."""
        return not self.family.foreign


Presented = PresentedAccessToken | PresentedRefreshToken


def find(text: str, claims: Mapping[str, Any] | None, families: FamilyStore, client: Client) -> Presented | None:
    """What `text` is; `claims` are there where it is an access token. A family that is found is locked.

    Hints (RFC 7009 section 2.1) are not needed: no kind of token looks like another.
    """
    if claims is not None:
        return PresentedAccessToken(claims)
    token = RefreshToken.parse(text)
    family = families.locked(token.handle, client) if token else None
    return PresentedRefreshToken(token.secret, family) if token and family else None
