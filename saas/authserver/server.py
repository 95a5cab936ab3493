"""The engine: Authlib's authorization server, for one request of one tenant. No SQL, no web framework."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from authlib.oauth2.rfc6749 import AuthorizationServer, TokenEndpoint
from authlib.oauth2.rfc6749.grants import BaseGrant
from pydantic_core import to_json

from saas.authserver.authentication import authenticate
from saas.authserver.authorization import Authorization
from saas.authserver.client import Client
from saas.authserver.errors import InvalidRequest, OAuth2Error, UnsupportedGrantType
from saas.authserver.grants import GRANT_TYPES, GRANTS
from saas.authserver.request import FormRequest
from saas.authserver.store import ClientStore, Storage
from saas.authserver.tokens import Extension, Issuer, TokenResponses
from saas.kit.clock import utc_now
from saas.settings import TokensSettings

_DEFAULTS: Final = TokensSettings()


class ProtocolResponse(NamedTuple):
    """What to answer, for any web framework to send."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Server(AuthorizationServer):  # type: ignore[misc] # Authlib has no types
    """Built anew for each request: it holds nothing but the tenant's issuer and the way to its stored things."""

    def __init__(
        self,
        issuer: Issuer,
        clients: ClientStore,
        storage: Storage | None = None,
        *,
        lifetimes: TokensSettings = _DEFAULTS,
        extensions: Sequence[Extension] = (),
        now: datetime | None = None,
    ) -> None:
        """`storage` is there for the grants that need it; `now` is the time of the request, which does not pass."""
        super().__init__()
        self.now = now or utc_now()
        self.issuer = issuer.url
        self.lifetimes = lifetimes
        self._clients = clients
        self._storage = storage
        self._responses = TokenResponses(issuer, extensions, int(self.now.timestamp()))

    @property
    def storage(self) -> Storage:
        """Raises RuntimeError where it was entered without."""
        if self._storage is None:
            raise RuntimeError("This request needs storage")
        return self._storage

    def token(self, request: FormRequest) -> ProtocolResponse:
        """Answer a request to the token endpoint."""
        try:
            response: ProtocolResponse = self.create_token_response(request)
        except OAuth2Error as error:
            return error_response(error)
        return response

    def answer(self, endpoint: TokenEndpoint, request: FormRequest) -> ProtocolResponse:
        """Answer a request to another endpoint at which clients authenticate."""
        try:
            return self.handle_response(*endpoint.create_endpoint_response(request))
        except OAuth2Error as error:
            return error_response(error)

    def get_token_grant(self, request: FormRequest) -> BaseGrant:
        grant_type = request.payload.grant_type
        if not grant_type:
            raise InvalidRequest("The parameter grant_type is missing")
        grant = GRANTS.get(grant_type)
        if grant is None:
            raise UnsupportedGrantType(grant_type, GRANT_TYPES)
        return grant(request, self)

    def authenticate_client(self, request: FormRequest, methods: Collection[str], endpoint: str = "token") -> Client:
        client = authenticate(self._clients, request.credentials, methods, endpoint)
        request.auth_method = request.credentials.method if request.credentials else None
        return client

    def generate_token(
        self,
        client: Client,
        user: Authorization | str | None = None,
        scope: str | None = None,
        include_refresh_token: bool = True,
        **_: Any,
    ) -> dict[str, Any]:
        """`user` is an Authorization, or what the client that acts for itself wants to be the audience.

        Authlib's own asks the client what to grant, and gets its default where a person's roles leave nothing.
        """
        if isinstance(user, Authorization):
            return self._responses.of_user(user, include_refresh_token=include_refresh_token)
        return self._responses.of_client(client, scope, user)

    def create_oauth2_request(self, request: FormRequest) -> FormRequest:
        return request

    def handle_response(
        self, status: int, body: Mapping[str, Any], headers: Sequence[tuple[str, str]]
    ) -> ProtocolResponse:
        return _response(status, body, headers)

    def save_token(self, token: Mapping[str, Any], request: FormRequest) -> None:
        """Access tokens have no row."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Authlib offers signals; nobody listens."""


def error_response(error: OAuth2Error) -> ProtocolResponse:
    """RFC 6749 section 5.2. For errors that are found before there is a server to ask, too."""
    return _response(*error())


def _response(status: int, body: Mapping[str, Any], headers: Sequence[tuple[str, str]]) -> ProtocolResponse:
    return ProtocolResponse(status, tuple(headers), to_json(body))
