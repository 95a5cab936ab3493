"""Who is charged for a request, and how much.

* With an access token: the tenant, within it the client's and the user's share, and what the route weighs. Whoever is
  refused for a quota can still look at what was used: there, only the rates hold.
* Where clients authenticate, before anybody is known: each address at the tenant, and each client that it claims to be;
  so a stranger cannot use up what belongs to the tenant. These limits hold whatever the plan's shadow.
* All others by their address, whatever the tenant: it has a slot of its own, and so a script call of its own.
"""

import re
from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from starlette.types import Scope

from saas.authserver.forms import form_decoded
from saas.ratelimit.costs import Weight
from saas.ratelimit.decision import Limit
from saas.ratelimit.errors import USAGE_PATH
from saas.ratelimit.limiter import Subject
from saas.ratelimit.policy import address_limits, limits_of
from saas.web.address import client_address, site_of
from tenants.registry import Tenant

#: Where clients authenticate: whoever asks is not known before.
CLIENT_PATHS: Final = frozenset(
    {"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/device_authorization", "/oauth2/par"}
)
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,100}")


class Charge(NamedTuple):
    """What a request costs, and whom."""

    subject: Subject
    limits: tuple[Limit, ...]
    cost: int = 1
    #: Nothing is refused.
    shadow: bool = False


class Charges:
    """Asks the scope for the tenant and the caller, which others have put there. None: nothing is charged."""

    def __init__(self, *, trusted_proxies: Sequence[str], per_address: int, weights: Iterable[Weight] = ()) -> None:
        self._trusted = tuple(trusted_proxies)
        self._address_limits = address_limits(per_address)
        self._weights = tuple(weights)

    def __call__(self, scope: Scope) -> Charge | None:
        tenant: Tenant | None = scope.get("tenant")
        if tenant is None:
            return None
        caller = scope["caller"]
        plan = tenant.plan
        if caller is not None:
            client, user = caller.client_id, caller.subject
            limits = limits_of(plan)
            if scope["path"] == USAGE_PATH:
                return Charge(Subject(tenant.id, caller.token_ids, "", client, user, home=tenant), limits.looking)
            return Charge(
                Subject(tenant.id, caller.token_ids, "", client, user, True, "", tenant),
                limits.without_user if user == client else limits.with_user,
                self._cost(scope) if self._weights else 1,
                plan.shadow,
            )
        site = site_of(client_address(scope, self._trusted))
        if scope["path"] in CLIENT_PATHS:
            client = _claimed_client(scope)
            limits_here = limits_of(plan).token
            # Those who say in the body who they are count by their address alone: the body is read later.
            return Charge(Subject(tenant.id, (), f"token:{site}", client), limits_here if client else limits_here[:-1])
        return Charge(Subject(tenant.id, address=f"address:{site}"), self._address_limits)

    def _cost(self, scope: Scope) -> int:
        path, method = scope["path"], scope["method"]
        for methods, pattern, cost in self._weights:
            if method in methods and pattern.match(path):
                return cost
        return 1


def _claimed_client(scope: Scope) -> str:
    """The client id of HTTP Basic (RFC 6749 section 2.3.1); empty where there is none that could be one."""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:6].lower() == b"basic ":
            try:
                # Stripped of what authentication strips, else a space would leave the client uncharged.
                encoded = value[6:].decode("latin-1").strip()
                said = form_decoded(a2b_base64(encoded, strict_mode=True).partition(b":")[0].decode())
            except ValueError:
                return ""
            return said if _CLIENT_ID.fullmatch(said) else ""
    return ""
