"""What an administrator says of a new client, and whether it makes sense. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self, TypeVar

from saas.access.scopes import ScopeCatalogue
from saas.authserver import assertion, device, resources
from saas.authserver.client_keys import UnusableKeys, checked_set
from saas.authserver.grants import AUTH_METHODS, GRANT_TYPES
from saas.authserver.redirect_uris import problem_with
from saas.kit.signing import ALGORITHMS
from saas.oauth.errors import InvalidClientDefinition
from saas.oauth.kinds import KINDS, problem_with_redirect

T = TypeVar("T")

#: The authentication method of a public client (RFC 7591 section 2).
NONE: Final = "none"
_MAX_NAME: Final = 100
_MAX_URIS: Final = 20
#: What a refresh token can come from.
_OF_PEOPLE: Final = ("authorization_code", device.GRANT_TYPE)
#: What some people call a grant.
_ALIASES: Final = {"device_code": device.GRANT_TYPE}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDefinition:
    """Names are those of RFC 7591 where it has them.

    Where a request names no scope it gets `default_scopes`; None: all of `scopes`. A client with a secret may send it
    by Basic or in the form, whichever of the two its method names.
    """

    name: str
    grant_types: Sequence[str]
    scopes: Sequence[str]
    default_scopes: Sequence[str] | None = None
    auth_method: str = "client_secret_basic"
    redirect_uris: Sequence[str] = ()
    post_logout_redirect_uris: Sequence[str] = ()
    #: Of the tenant's own company: nobody is asked for consent.
    first_party: bool = False
    id_token_signed_response_alg: str = "ES256"  # noqa: S105 - an algorithm
    backchannel_logout_uri: str | None = None
    #: A JWK set as JSON, for private_key_jwt.
    jwks: str | None = None
    #: Audiences that it may ask for beside the issuer's own API (RFC 8707).
    resources: Sequence[str] = ()

    #: One of `kinds.KINDS`; None: whatever the rest makes of it.
    kind: str | None = None

    @classmethod
    def of_kind(cls, kind: str, **more: Any) -> Self:
        """With the grants and the authentication method of that kind, where `more` names no others.

        Raises InvalidClientDefinition.
        """
        _some("kind", [kind], tuple(KINDS))
        own: dict[str, Any] = {"grant_types": KINDS[kind].grant_types, "auth_method": KINDS[kind].auth_method}
        return cls(**{**own, **more, "kind": kind})

    def checked(self, catalogue: ScopeCatalogue) -> "ClientDefinition":
        """Without repetitions, and with all defaults filled in.

        Raises InvalidClientDefinition, whose `problems` tell of every field what is wrong with it.
        """
        checks, none = _Checks(), list[str]()
        allowed = checks.of("scopes", lambda: _some("scope", self.scopes, catalogue.names), none)
        given = self.default_scopes
        definition = replace(
            self,
            name=checks.of("name", lambda: _checked_name(self.name), ""),
            grant_types=checks.of("grant_types", lambda: _checked_grants(self.grant_types), none),
            scopes=allowed,
            default_scopes=allowed
            if given is None
            else checks.of("default_scopes", lambda: _known("default scope", given, allowed), none),
            auth_method=checks.of(
                "auth_method", lambda: _one_of("authentication method", self.auth_method, AUTH_METHODS), ""
            ),
            redirect_uris=checks.of("redirect_uris", lambda: _checked_uris(self.redirect_uris, self.kind), none),
            post_logout_redirect_uris=checks.of(
                "post_logout_redirect_uris", lambda: _checked_uris(self.post_logout_redirect_uris, self.kind), none
            ),
            resources=checks.of("resources", lambda: _checked_resources(self.resources), none),
            jwks=checks.of("jwks", lambda: _checked_keys(self.jwks, self.auth_method), None),
            id_token_signed_response_alg=checks.of(
                "id_token_signed_response_alg",
                lambda: _one_of("algorithm", self.id_token_signed_response_alg, ALGORITHMS),
                "",
            ),
        )
        checks.of("backchannel_logout_uri", lambda: _check_logout_uri(self.backchannel_logout_uri), None)
        checks.finish()
        _check_grants(definition)
        return definition


@dataclass(slots=True)
class _Checks:
    """Runs them all, so that somebody who fills in a form hears of everything at once."""

    problems: dict[str, str] = field(default_factory=dict)

    def of(self, name: str, check: Callable[[], T], instead: T) -> T:
        try:
            return check()
        except InvalidClientDefinition as error:
            self.problems[name] = error.detail
            return instead

    def finish(self) -> None:
        """Raises InvalidClientDefinition."""
        if self.problems:
            raise InvalidClientDefinition(next(iter(self.problems.values())), problems=self.problems)


def _check_grants(definition: ClientDefinition) -> None:
    """Whether the grants fit each other and the kind of client. Raises InvalidClientDefinition."""
    grants = definition.grant_types
    if "authorization_code" in grants and not definition.redirect_uris:
        raise _wrong("redirect_uris", "The authorization code comes to a redirect URI: name at least one")
    if "authorization_code" not in grants and definition.redirect_uris:
        raise _wrong("redirect_uris", "Only the grant authorization_code uses a redirect URI: add it")
    if "refresh_token" in grants and not any(grant in grants for grant in _OF_PEOPLE):
        raise _wrong("grant_types", "A refresh token comes from the grant authorization_code or device_code: add one")
    if definition.auth_method == NONE and "client_credentials" in grants:
        raise _wrong("grant_types", "A public client has no credentials: it cannot use client_credentials")


def _wrong(name: str, text: str) -> InvalidClientDefinition:
    return InvalidClientDefinition(text, problems={name: text})


def _checked_grants(grants: Iterable[str]) -> list[str]:
    return _some("grant", [_ALIASES.get(name, name) for name in grants], GRANT_TYPES)


def _one_of(what: str, given: str, known: Sequence[str]) -> str:
    return _some(what, [given], known)[0]


def _checked_uris(uris: Iterable[str], kind: str | None) -> list[str]:
    chosen = list(dict.fromkeys(uris))
    if len(chosen) > _MAX_URIS:
        raise InvalidClientDefinition(f"A client has at most {_MAX_URIS} redirect URIs")
    for uri in chosen:
        problem = problem_with_redirect(uri, kind)
        if problem is not None:
            raise InvalidClientDefinition(f"{uri[:200]!r} cannot be a redirect URI: {problem}")
    return chosen


def _checked_resources(uris: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(uris))
    if len(chosen) > _MAX_URIS:
        raise InvalidClientDefinition(f"A client has at most {_MAX_URIS} resources")
    for uri in chosen:
        problem = resources.problem_with(uri)
        if problem is not None:
            raise InvalidClientDefinition(f"{uri[:200]!r} cannot be a resource: {problem}")
    return chosen


def _checked_keys(jwks: str | None, auth_method: str) -> str | None:
    """What there is to keep of them. Raises InvalidClientDefinition."""
    if (jwks is None) == (auth_method == assertion.METHOD):
        raise InvalidClientDefinition(f"A JWK set and the authentication method {assertion.METHOD} need each other")
    try:
        return None if jwks is None else checked_set(jwks)
    except UnusableKeys as error:
        raise InvalidClientDefinition(f"The JWK set cannot be used: {error}") from error


def _check_logout_uri(uri: str | None) -> None:
    """Raises InvalidClientDefinition."""
    if uri is None:
        return
    problem = problem_with(uri) or (None if uri.startswith("http") else "it is no web address")
    if problem is not None:
        raise InvalidClientDefinition(f"{uri[:200]!r} cannot be told of logouts: {problem}")


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise InvalidClientDefinition(f"A name has 1 to {_MAX_NAME} characters, none of them a control character")
    return name


def _some(what: str, given: Iterable[str], known: Sequence[str]) -> list[str]:
    """As `_known`, and at least one."""
    chosen = _known(what, given, known)
    if not chosen:
        raise InvalidClientDefinition(f"Name at least one {what} of: {', '.join(known)}")
    return chosen


def _known(what: str, given: Iterable[str], known: Sequence[str]) -> list[str]:
    """`given` without repetitions; raises InvalidClientDefinition, which lists what is unknown and what is known."""
    chosen = list(dict.fromkeys(given))
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise InvalidClientDefinition(f"Unknown {what}: {', '.join(unknown)}. Known: {', '.join(known)}")
    return chosen
