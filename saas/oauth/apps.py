"""What becomes of a client after it is made: changed, without its tokens, deleted. Sessions are the tenant's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from saas.access.scopes import ScopeCatalogue
from saas.audit.service import record
from saas.identity.authority import Authority
from saas.oauth.authority import check_powers
from saas.oauth.definition import ClientDefinition
from saas.oauth.errors import ClientNotFound, InvalidClientDefinition
from saas.oauth.grants.endings import Ended, Endings
from saas.oauth.models import ClientRow
from saas.oauth.registered import locked, target_of
from tenants.base import utc_now
from tenants.changes import mark_changed
from tenants.registry import Tenant

#: Fields of a definition that may change later, and the columns that hold them. Who has a secret keeps having one.
_COLUMNS: Final = {
    "name": "name",
    "scopes": "scopes",
    "default_scopes": "default_scopes",
    "grant_types": "grant_types",
    "redirect_uris": "redirect_uris",
    "post_logout_redirect_uris": "post_logout_redirect_uris",
    "backchannel_logout_uri": "backchannel_logout_uri",
    "jwks": "jwks",
    "resources": "resources",
    "first_party": "first_party",
    "id_token_signed_response_alg": "id_token_signed_response_alg",
}
CHANGEABLE: Final = frozenset(_COLUMNS)


class AppService:
    def __init__(self, catalogue: ScopeCatalogue, endings: Endings) -> None:
        self._catalogue = catalogue
        self._endings = endings

    async def change(
        self,
        session: AsyncSession,
        tenant: Tenant,
        client_id: str,
        changes: Mapping[str, Any],
        by: Authority | None = None,
    ) -> bool:
        """Give the fields of its definition that `changes` names new values; False where they had them already.

        Tokens that people have given it keep what they allow, until they are refreshed. `by` as at `create`. Raises
        ClientNotFound, InvalidClientDefinition and BeyondAuthority.
        """
        row = await self._live(session, client_id)
        if unknown := sorted(changes.keys() - CHANGEABLE):
            raise InvalidClientDefinition(f"This cannot be changed: {', '.join(unknown)}")
        before = self._definition(row)
        # Where a request names no scope it gets all of them, unless somebody has chosen fewer.
        all_by_default = list(before.default_scopes or ()) == list(before.scopes)
        if "scopes" in changes and "default_scopes" not in changes:
            kept = [scope for scope in before.default_scopes or () if scope in changes["scopes"]]
            changes = {**changes, "default_scopes": None if all_by_default else kept}
        after = replace(before, **changes).checked(self._catalogue)
        check_powers(by, before)
        check_powers(by, after)
        changed = {}
        for name, column in _COLUMNS.items():
            value = getattr(after, name)
            value = list(value) if isinstance(value, list | tuple) else value
            if value != getattr(row, column):
                setattr(row, column, value)
                changed[name] = "replaced" if name == "jwks" else value
        if changed:
            mark_changed(session, tenant.id)
            record(session, "client.changed", target=target_of(row), details=changed)
            await session.flush()
        return bool(changed)

    async def revoke_tokens(
        self, session: AsyncSession, tenant: Tenant, client_id: str, *, consents: bool = False
    ) -> Ended:
        """End all that it has been given up to now: access tokens, refresh tokens, codes; and, with `consents`, let it
        ask people anew. It may go on to get tokens. Raises ClientNotFound.
        """
        row = await self._live(session, client_id)
        ended = await self._endings.end_client(session, row.id, consents=consents)
        row.tokens_since = utc_now()
        mark_changed(session, tenant.id)
        record(session, "client.tokens_revoked", target=target_of(row), details=ended._asdict())
        await session.flush()
        return ended

    async def delete(self, session: AsyncSession, tenant: Tenant, client_id: str) -> None:
        """And all that refers to it: secrets, tokens, consents. Raises ClientNotFound; one that is revoked is found."""
        row = await locked(session, client_id)
        ended = await self._endings.end_client(session, row.id, consents=True)
        record(session, "client.deleted", target=target_of(row), details=ended._asdict())
        await session.execute(delete(ClientRow).where(ClientRow.id == row.id))
        mark_changed(session, tenant.id)

    async def _live(self, session: AsyncSession, client_id: str) -> ClientRow:
        row = await locked(session, client_id)
        if row.revoked_at is not None:
            raise ClientNotFound(f"The client {client_id} is revoked: make a new one")
        return row

    def _definition(self, row: ClientRow) -> ClientDefinition:
        """Without scopes that nobody declares any more."""
        return ClientDefinition(
            name=row.name,
            grant_types=tuple(row.grant_types),
            scopes=tuple(scope for scope in row.scopes if scope in self._catalogue),
            default_scopes=tuple(scope for scope in row.default_scopes if scope in self._catalogue),
            auth_method=row.token_endpoint_auth_method,
            redirect_uris=tuple(row.redirect_uris),
            post_logout_redirect_uris=tuple(row.post_logout_redirect_uris),
            first_party=row.first_party,
            id_token_signed_response_alg=row.id_token_signed_response_alg,
            backchannel_logout_uri=row.backchannel_logout_uri,
            jwks=row.jwks,
            resources=tuple(row.resources),
            kind=row.kind,
        )
