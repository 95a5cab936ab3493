"""An OAuth client as the engine sees it: an immutable record that a cache may hold."""

import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from saas.authserver.client_keys import ClientKey
from saas.authserver.errors import InvalidScope
from saas.kit.crypto import digest, same

#: RFC 6749 section 3.3, `scope-token`.
_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")

_NIL: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """The SHA-256 of a generated secret, and the Unix time at which it ends; None for no end."""

    digest: bytes = field(repr=False)
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """What the protocol needs to know of a client. The camel names that Authlib calls are at the end.

    Several secrets are valid at once while a rotation overlaps; whether one still is, is decided at use.
    """

    client_id: str
    grant_types: frozenset[str]
    #: RFC 7591 names.
    auth_methods: frozenset[str]
    scopes: tuple[str, ...]
    default_scopes: tuple[str, ...]
    secrets: tuple[ClientSecret, ...] = ()
    #: With which its assertions are verified.
    keys: tuple[ClientKey, ...] = ()
    #: The key of its row, which rows of grants refer to.
    id: UUID = _NIL
    name: str = ""
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    #: Of the tenant's own company: nobody is asked for consent.
    first_party: bool = False
    id_token_signed_response_alg: str = "ES256"  # noqa: S105 - an algorithm
    #: Where it wants to be told of sessions that are over (OpenID Connect Back-Channel Logout section 2.2).
    backchannel_logout_uri: str | None = None
    #: For which it may have tokens, beside the issuer's own API (RFC 8707).
    resources: tuple[str, ...] = ()
    #: Unix time; its access tokens that are not younger were revoked.
    tokens_since: float | None = None

    @property
    def public(self) -> bool:
        """It has no secret (RFC 6749 section 2.1): an app on a device or in a browser."""
        return "none" in self.auth_methods

    def counts(self, issued_at: int) -> bool:
        """Whether an access token of that Unix time does, or has been revoked with all others up to some moment."""
        return self.tokens_since is None or issued_at > self.tokens_since

    def has_secret(self, secret: str, now: float) -> bool:
        """Whether `secret` is one of the client's at the Unix time `now`; compares all, in constant time each."""
        given = digest(secret)
        matches = False
        for known in self.secrets:
            valid = known.expires_at is None or now < known.expires_at
            matches |= same(known.digest, given) & valid
        return matches

    def get_client_id(self) -> str:
        return self.client_id

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - the same at each endpoint
        return method in self.auth_methods

    def get_allowed_scope(self, scope: str | None) -> str:
        """The scope to grant where `scope` is asked for; the default where nothing is.

        Raises InvalidScope, also where nothing is asked for and there is no default (RFC 6749 section 3.3).
        """
        if not scope:
            if not self.default_scopes:
                raise InvalidScope("Name a scope: this client has no default")
            return " ".join(self.default_scopes)
        names = list(dict.fromkeys(scope.split(" ")))
        if not all(map(_SCOPE.fullmatch, names)):
            raise InvalidScope("A scope is a list of names with one space between them")
        refused = [name for name in names if name not in self.scopes]
        if refused:
            raise InvalidScope(f"Unknown, or not allowed for this client: {' '.join(refused)}")
        return " ".join(names)


#: Stands in for a client that does not exist, so that to refuse it takes the work that a wrong secret takes.
NOBODY: Final = Client("", frozenset(), frozenset(), (), (), (ClientSecret(digest("")),))
