"""The scopes of the authorization server itself, in words for the people who consent to them."""

from typing import Final

from saas.access.scopes import Scope
from saas.authserver.scopes import INTROSPECT, OFFLINE_ACCESS, OPENID

_CATEGORY: Final = "Your account"

SCOPES: Final = (
    Scope(OPENID, "Know who you are when you sign in", _CATEGORY),
    Scope("profile", "See your name", _CATEGORY),
    Scope("email", "See your e-mail address", _CATEGORY),
    Scope(OFFLINE_ACCESS, "Keep its access while you are not there", _CATEGORY),
    Scope(INTROSPECT, "Learn what any access token stands for", "Tokens", sensitive=True),
)
