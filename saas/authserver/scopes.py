"""The scopes whose meaning the protocol gives (OpenID Connect Core sections 3.1.2.1, 5.4 and 11)."""

from typing import Final

OPENID: Final = "openid"
#: With it, a client that has the refresh token grant gets a refresh token.
OFFLINE_ACCESS: Final = "offline_access"
#: A client that may have it may introspect any access token of the tenant, and not only its own: an API, say.
INTROSPECT: Final = "tokens:introspect"
#: They are about a person, so no role limits them, and no client has them for itself.
IDENTITY_SCOPES: Final = (OPENID, "profile", "email", OFFLINE_ACCESS)
