"""The engine: Authlib's authorization server, for one request of one tenant. No SQL, no web framework."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import BaseGrant

from saas.authserver.authentication import authenticate
from saas.authserver.client import Client
from saas.authserver.errors import InvalidRequest, OAuth2Error, UnsupportedGrantType
from saas.authserver.grants import GRANT_TYPES, GRANTS
from saas.authserver.request import FormRequest
from saas.authserver.store import ClientStore
from saas.authserver.tokens import AccessTokens, Issuer


@dataclass(frozen=True, slots=True)
class ProtocolResponse:
    """What to answer, for any web framework to send."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Server(AuthorizationServer):  # type: ignore[misc] # Authlib has no types
    """Built anew for each request: it holds nothing but the tenant's issuer and the way to its stored things."""

    def __init__(self, issuer: Issuer, clients: ClientStore) -> None:
        super().__init__()
        self._clients = clients
        self.register_token_generator("default", AccessTokens(issuer))

    def token(self, request: FormRequest) -> ProtocolResponse:
        """Answer a request to the token endpoint."""
        try:
            response: ProtocolResponse = self.create_token_response(request)
        except OAuth2Error as error:
            return error_response(error)
        return response

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
    return ProtocolResponse(status, tuple(headers), json.dumps(body, separators=(",", ":")).encode())
