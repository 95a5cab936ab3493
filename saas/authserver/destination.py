"""Who sends an authorization request, and where its answer goes (RFC 6749 section 4.1.2.1, RFC 9700 section 4.1).

While that is not certain, what is wrong is told to the person in front of the browser (Undeliverable); from then on to
the client, by a redirect.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from saas.authserver import redirect_uris
from saas.authserver.client import Client
from saas.authserver.errors import OAuth2Error
from saas.authserver.store import ClientStore

#: Characters of a query: it travels on to the sign-in page and back.
MAX_QUERY: Final = 6000
_MAX_FIELDS: Final = 40


class Undeliverable(Exception):
    """There is nowhere to send an answer to. The text is for a person, and repeats nothing of the request."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a request says. Parameters without a value are left out (RFC 6749 section 3.1)."""

    values: dict[str, str]
    #: Given more than once, which none may be.
    repeated: frozenset[str] = frozenset()
    #: Where the client pushed them beforehand: the reference by which a browser brings them (RFC 9126).
    request_uri: str | None = None

    @classmethod
    def of(cls, query: str) -> "Parameters":
        """Raises Undeliverable."""
        if len(query) > MAX_QUERY:
            raise Undeliverable("The address that led here is too long.")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
        except ValueError as error:  # UnicodeDecodeError is one too
            raise Undeliverable("The address that led here cannot be read.") from error
        values = dict(pairs)
        repeated: frozenset[str] = frozenset()
        if len(values) < len(pairs):
            repeated = frozenset(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        return cls({name: value for name, value in values.items() if value}, repeated)

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    @property
    def carried(self) -> dict[str, str]:
        """What an address must hold to bring them again."""
        if self.request_uri is None:
            return self.values
        return {"client_id": self.values["client_id"], "request_uri": self.request_uri}


@dataclass(frozen=True, slots=True)
class Destination:
    """`issuer` is told with every answer, so that a client of several servers knows whose it is (RFC 9207)."""

    client: Client
    redirect_uri: str
    issuer: str
    state: str | None

    @classmethod
    def of(cls, parameters: Parameters, clients: ClientStore, issuer: str) -> "Destination":
        """Raises Undeliverable."""
        client_id = None if "client_id" in parameters.repeated else parameters.get("client_id")
        client = clients.client(client_id) if client_id else None
        if client is None:
            raise Undeliverable("The application that led here is not known.")
        redirect_uri = None if "redirect_uri" in parameters.repeated else parameters.get("redirect_uri")
        if not redirect_uri or not redirect_uris.matches(redirect_uri, client.redirect_uris, native=client.public):
            raise Undeliverable("The application that led here gave a return address that is not registered for it.")
        state = None if "state" in parameters.repeated else parameters.get("state")
        return cls(client, redirect_uri, issuer, state)

    def url(self, answer: Sequence[tuple[str, str]]) -> str:
        """The redirect URI with the answer, with `state` as it came, and with `iss`."""
        state = () if self.state is None else (("state", self.state),)
        separator = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{separator}{urlencode((*answer, *state, ('iss', self.issuer)))}"

    def error_url(self, error: OAuth2Error) -> str:
        return self.url([(name, value) for name, value in error.get_body() if value])
