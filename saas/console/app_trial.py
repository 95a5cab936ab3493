"""How to try an app out: an address to open and a line for the terminal, complete but for its secret. Pure."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from shlex import quote
from typing import Final
from urllib.parse import urlencode

from saas.authserver import device
from saas.oauth.registered import ClientInfo

_SECRET: Final = "YOUR_SECRET"  # noqa: S105 - stands where one is to be put
_BREAK: Final = " \\\n  "


@dataclass(frozen=True, slots=True)
class Trial:
    """`authorize_url` is for a browser; `commands` are (what it does, lines for a terminal), in their order."""

    authorize_url: str | None
    commands: list[tuple[str, str]]


def trial_of(client: ClientInfo, issuer: str) -> Trial:
    """With a code verifier of its own (RFC 7636), so that the steps fit each other."""
    if client.auth_method == "private_key_jwt":
        proof = ["--data-urlencode client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
        proof += ["--data-urlencode client_assertion=SIGNED_BY_YOUR_KEY"]
    elif client.has_secret:
        proof = [f"-u {client.client_id}:{_SECRET}"]
    else:
        proof = [f"-d client_id={client.client_id}"]
    token = f"curl {quote(issuer + '/oauth2/token')}"
    scope = " ".join(client.default_scopes)
    if not client.kind.for_people:
        return Trial(
            None, [("Get a token", _join(token, *proof, "-d grant_type=client_credentials", _field("scope", scope)))]
        )
    if not client.redirect_uris:
        ask = _join(f"curl {quote(issuer + '/oauth2/device_authorization')}", *proof, _field("scope", scope))
        poll = _join(token, *proof, _field("grant_type", device.GRANT_TYPE), "-d device_code=DEVICE_CODE_FROM_ABOVE")
        return Trial(None, [("Ask for a code for people to type", ask), ("Then ask whether somebody has", poll)])
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    redirect_uri = client.redirect_uris[0]
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": secrets.token_urlsafe(8),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    redeem = _join(
        token,
        *proof,
        "-d grant_type=authorization_code",
        _field("redirect_uri", redirect_uri),
        f"-d code_verifier={verifier}",
        "-d code=CODE_FROM_THE_ADDRESS",
    )
    return Trial(f"{issuer}/oauth2/authorize?{urlencode(query)}", [("Exchange the code for tokens", redeem)])


def _field(name: str, value: str) -> str:
    return f"--data-urlencode {quote(f'{name}={value}')}"


def _join(*parts: str) -> str:
    return _BREAK.join(parts)
