"""What an authorization request asks for (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1)."""

from dataclasses import dataclass
from typing import Final

from saas.authserver import pkce
from saas.authserver.client import Client
from saas.authserver.destination import Parameters
from saas.authserver.errors import (
    InvalidRequest,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    UnauthorizedClient,
    UnsupportedResponseType,
)
from saas.authserver.resources import audience_of

RESPONSE_TYPE: Final = "code"
RESPONSE_MODE: Final = "query"
GRANT_TYPE: Final = "authorization_code"
#: OpenID Connect Core section 3.1.2.1; to choose an account is to sign in anew.
PROMPTS: Final = ("none", "login", "consent", "select_account")
SIGN_IN_PROMPTS: Final = frozenset({"login", "select_account"})
_MAX_DIGITS: Final = 9
_MAX_VALUE: Final = 2048
#: Parameters in a signed object (RFC 9101), and those of clients that vouch for themselves (Core section 7.2.1).
_NOT_SUPPORTED: Final = {
    "request": RequestNotSupported,
    "request_uri": RequestUriNotSupported,
    "registration": RegistrationNotSupported,
}


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that is in order, whoever the person may be."""

    #: What the client asks for, and is allowed to ask for.
    scopes: tuple[str, ...]
    #: RFC 7636, by the method S256.
    challenge: str
    prompt: frozenset[str]
    #: How many seconds ago the person may have proved who they are; None: it does not matter.
    max_age: int | None
    nonce: str | None
    #: RFC 8707; None: the issuer itself is the audience.
    resource: str | None = None

    @property
    def needs_fresh_sign_in(self) -> bool:
        """It matters when the person proved who they are."""
        return self.max_age is not None or not self.prompt.isdisjoint(SIGN_IN_PROMPTS)

    @classmethod
    def of(cls, parameters: Parameters, client: Client, issuer: str = "") -> "AuthorizationRequest":
        """Raises OAuth2Error, which goes to the client."""
        if parameters.repeated:
            raise InvalidRequest("A parameter is given more than once")
        for name, refusal in _NOT_SUPPORTED.items():
            if name in parameters.values:
                raise refusal()
        _check_response(parameters, client)
        challenge = pkce.check_challenge(parameters.get("code_challenge"), parameters.get("code_challenge_method"))
        scopes = tuple(client.get_allowed_scope(parameters.get("scope")).split(" "))
        return cls(
            scopes=scopes,
            challenge=challenge,
            prompt=_prompt(parameters.get("prompt")),
            max_age=_max_age(parameters.get("max_age")),
            nonce=_bounded("nonce", parameters.get("nonce")),
            resource=audience_of(parameters.get("resource"), client, issuer),
        )


def _check_response(parameters: Parameters, client: Client) -> None:
    response_type = parameters.get("response_type")
    if response_type is None:
        raise InvalidRequest("The parameter response_type is missing")
    if response_type != RESPONSE_TYPE:
        raise UnsupportedResponseType(response_type)
    if not client.check_grant_type(GRANT_TYPE):
        raise UnauthorizedClient("This client does not use authorization codes")
    if parameters.get("response_mode") not in {None, RESPONSE_MODE}:
        raise InvalidRequest("The parameter response_mode must be query")


def _prompt(value: str | None) -> frozenset[str]:
    prompt = frozenset(value.split(" ")) if value else frozenset()
    if not prompt.issubset(PROMPTS) or ("none" in prompt and len(prompt) > 1):
        raise InvalidRequest(f"The parameter prompt must be none, or some of: {' '.join(PROMPTS[1:])}")
    return prompt


def _max_age(value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > _MAX_DIGITS:
        raise InvalidRequest("The parameter max_age must be a number of seconds")
    return int(value)


def _bounded(name: str, value: str | None) -> str | None:
    if value is not None and (len(value) > _MAX_VALUE or not value.isprintable()):
        raise InvalidRequest(f"The parameter {name} is too long, or holds control characters")
    return value
