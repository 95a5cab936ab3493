"""Bearer tokens of a tenant, verified; in the steady state by one look into memory."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from saas.access import jwt
from saas.access.caller import Caller
from saas.access.errors import InvalidToken
from saas.keys.service import KeyService
from tenants.changes import Changes
from tenants.registry import Tenant

REVOKED_CLIENT: Final = "The client of the token is unknown or revoked, or its tokens were"

_Key = tuple[UUID, bytes]


class TokenVerifier:
    """Verifies access tokens after RFC 9068 section 4 and remembers those that were good until they expire.

    What is remembered of a tenant is forgotten as soon as anything cached of that tenant changes (its keys and clients
    among it), so that the next request of each token is verified anew. `client_is_live` tells whether the tenant has
    that client now, and its tokens of that age (their `iat`) still count; it is asked once for each time that a token
    is verified.
    """

    def __init__(
        self,
        keys: KeyService,
        client_is_live: Callable[[Tenant, str, int], Awaitable[bool]],
        changes: Changes,
        *,
        size: int = 20_000,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._client_is_live = client_is_live
        self._size = size
        self._now = now
        self._verified: OrderedDict[_Key, Caller] = OrderedDict()
        self._keys_of: dict[UUID, set[_Key]] = {}
        self._generation = 0
        changes.listen(self._drop)

    async def verify(self, tenant: Tenant, token: str) -> Caller:
        """Who holds this token at this tenant. Raises InvalidToken, which says why it is refused."""
        if len(token) > jwt.MAX_TOKEN_LENGTH:
            raise InvalidToken(jwt.MALFORMED)
        key = (tenant.id, sha256(token.encode()).digest())
        caller = self._verified.get(key)
        if caller is None:
            return await self._verify(tenant, token, key)
        if caller.expires_at <= self._now():
            self._forget(key)
            raise InvalidToken(jwt.EXPIRED)
        self._verified.move_to_end(key)
        return caller

    async def claims(self, tenant: Tenant, token: str) -> dict[str, Any] | None:
        """What an access token of this tenant says, to whatever audience; None where it would not be believed.

        For those who keep the tokens: whether one was revoked is not looked at.
        """
        try:
            claims = await self._signed_claims(tenant, token)
            holder = jwt.holder_of(claims, tenant, self._now())
        except InvalidToken:
            return None
        return claims if await self._client_is_live(tenant, holder.client_id, holder.issued_at) else None

    async def _signed_claims(self, tenant: Tenant, token: str) -> dict[str, Any]:
        signed = jwt.parse(token)
        public = (await self._keys.ring(tenant)).verification_key(signed.protected["kid"])
        if public is None:
            # Unverified, so good for nothing but telling a token of another tenant from one of a forgotten key.
            foreign = jwt.read_claims(signed).get("iss") != tenant.issuer
            raise InvalidToken(jwt.WRONG_ISSUER if foreign else jwt.UNKNOWN_KEY)
        jwt.check_signature(signed, public)
        return jwt.read_claims(signed)

    async def _verify(self, tenant: Tenant, token: str, key: _Key) -> Caller:
        generation = self._generation
        caller = jwt.caller_of(await self._signed_claims(tenant, token), tenant, self._now())
        if not await self._client_is_live(tenant, caller.client_id, caller.issued_at):
            raise InvalidToken(REVOKED_CLIENT)
        if generation == self._generation:  # else a change arrived meanwhile, and this may be from before it
            self._keep(key, caller)
        return caller

    def _keep(self, key: _Key, caller: Caller) -> None:
        self._verified[key] = caller
        self._keys_of.setdefault(key[0], set()).add(key)
        if len(self._verified) > self._size:
            self._forget(next(iter(self._verified)))

    def _forget(self, key: _Key) -> None:
        del self._verified[key]
        keys = self._keys_of[key[0]]
        keys.discard(key)
        if not keys:
            del self._keys_of[key[0]]

    def _drop(self, tenant_id: UUID | None) -> None:
        self._generation += 1
        if tenant_id is None:
            self._verified.clear()
            self._keys_of.clear()
            return
        for key in self._keys_of.pop(tenant_id, ()):
            del self._verified[key]
