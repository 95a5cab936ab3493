"""A form-encoded protocol request, checked for what every endpoint refuses."""

from collections.abc import Mapping, Sequence
from typing import Final

from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload, OAuth2Request

from saas.authserver.authentication import Credentials, credentials_of
from saas.authserver.errors import InvalidRequest

#: Characters of a value: room for a signed assertion, not for more.
_MAX_VALUE: Final = 8_192


class FormRequest(OAuth2Request):  # type: ignore[misc] # Authlib has no types
    """A request to the token endpoint, and to others that take a form.

    `uri` is the endpoint's at the issuer; `headers` have lower-case names. TLS ends before us, and whether an issuer
    may do without it is a setting's business: Authlib's own constructor, which refuses http, is left out.

    Raises InvalidRequest where a parameter is repeated (RFC 6749 section 3.2) or too long; InvalidClient and
    InvalidRequest where the client's credentials are malformed or given twice.
    """

    #: How the caller wants to be known; not checked yet.
    credentials: Credentials | None
    #: By which method the client was authenticated.
    auth_method: str | None

    def __init__(self, method: str, uri: str, headers: Mapping[str, str], form: Sequence[tuple[str, str]]) -> None:
        self.method, self.uri, self.headers = method, uri, headers
        self.auth_method = None
        self.client = self.user = self.authorization_code = self.refresh_token = None
        self.credential = self._body = self._scope = None
        parameters = dict(form)
        if len(parameters) < len(form):
            raise InvalidRequest("A parameter is given more than once")
        if max(map(len, parameters.values()), default=0) > _MAX_VALUE:
            raise InvalidRequest(f"A parameter is longer than {_MAX_VALUE} characters")
        # Section 3.2: "Parameters sent without a value MUST be treated as if they were omitted".
        self._form = {name: value for name, value in parameters.items() if value}
        self.payload = BasicOAuth2Payload(self._form)
        self.credentials = credentials_of(headers, self._form)

    @property
    def form(self) -> dict[str, str]:
        return self._form
