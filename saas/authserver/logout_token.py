"""Logout tokens (OpenID Connect Back-Channel Logout section 2.4): they tell a client that a session is over."""

import secrets
from typing import Any, Final

from saas.authserver.client import Client
from saas.authserver.id_token import SignerFor

METADATA: Final[dict[str, Any]] = {
    "backchannel_logout_supported": True,
    "backchannel_logout_session_supported": True,
}
_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
#: Seconds; the section recommends two minutes at most.
_TTL: Final = 120
_JTI_BYTES: Final = 16


def logout_token(issuer: str, client: Client, *, subject: str, session_id: str, signer_for: SignerFor, now: int) -> str:
    """Signed as the client's ID tokens are. It has no nonce, so that it can be taken for none of them."""
    claims = {
        "iss": issuer,
        "sub": subject,
        "aud": client.client_id,
        "iat": now,
        "exp": now + _TTL,
        "jti": secrets.token_urlsafe(_JTI_BYTES),
        "events": {_EVENT: {}},
        "sid": session_id,
    }
    return signer_for(client.id_token_signed_response_alg).sign("logout+jwt", claims)
