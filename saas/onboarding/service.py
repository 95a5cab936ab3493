"""The one way to create a tenant: its row, its schema, then its signing key and its owner."""

import asyncio
from dataclasses import dataclass

from saas.audit.service import Target, record
from saas.identity.passwords import hash_password
from saas.identity.service import check_email, create_owner, remove_everybody
from saas.keys.service import KeyService
from saas.kit.ids import new_password
from tenants import provisioning
from tenants.database import Database
from tenants.errors import TenantExists
from tenants.registry import Registry, Tenant


@dataclass(frozen=True, slots=True)
class Onboarded:
    """`owner_password` is generated and known nowhere else; None where the owner has one, or the tenant was there."""

    tenant: Tenant
    owner_email: str
    owner_password: str | None
    created: bool


async def onboard(
    database: Database,
    registry: Registry,
    keys: KeyService,
    *,
    slug: str,
    name: str,
    plan: str,
    owner_email: str,
    domain: str | None = None,
    on: str | None = None,
    owner_hash: str | None = None,
) -> Onboarded:
    """Create the tenant, or finish creating it: whatever stopped an earlier call, this one goes on from there.

    `on` is the name of its database; None: where there is room. `owner_hash` is of a password that the owner has
    already (see `hash_password`); None: one is generated. A tenant that is active or suspended stays as it is.
    Raises InvalidEmail and what `provisioning.create_row` and `ensure_schema` raise.
    """
    email = check_email(owner_email)
    try:
        tenant = await provisioning.create_row(
            database, registry, slug=slug, name=name, plan=plan, domain=domain, on=on
        )
    except TenantExists:
        return await _existing(database, registry, slug, email)
    password = None if owner_hash else new_password()
    password_hash, _ = await asyncio.gather(_hash(password, owner_hash), provisioning.ensure_schema(database, tenant))
    # Activation holds the tenant's row until all of it is committed: nobody is served half, and of two calls one knows
    # the password. In another database key and owner are committed first, and made anew if that is all that was.
    async with database.registry_and_schema(tenant) as (rows, session):
        if await provisioning.activate(rows, tenant):
            if not database.shares_registry(tenant):
                await remove_everybody(session)
            await keys.create_first(session, tenant.id)
            await create_owner(session, email, password_hash)
            target = Target("tenant", tenant.id, slug)
            record(session, "tenant.created", target=target, details={"owner": email, "plan": plan})
            return Onboarded(await registry.get(rows, slug), email, password, created=True)
    return await _existing(database, registry, slug, email)


async def _hash(password: str | None, known: str | None) -> str:
    return known or await hash_password(password or "")


async def _existing(database: Database, registry: Registry, slug: str, owner_email: str) -> Onboarded:
    async with database.platform_session() as session:
        return Onboarded(await registry.get(session, slug), owner_email, None, created=False)
