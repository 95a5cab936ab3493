"""The demo tenants of `saas dev`: made once, remembered in the data folder, made whole where something is missing."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from saas.cli import output
from saas.dev.demo import Credentials, Memory
from saas.identity.errors import UserNotFound
from saas.identity.passwords import hash_password
from saas.identity.service import create_owner, set_password
from saas.kit.crypto import digest
from saas.kit.ids import new_password
from saas.oauth.definition import ClientDefinition
from saas.onboarding.service import onboard
from saas.services import Services, open_services
from saas.settings import Settings
from tenants.migrate.rollout import migrate_all
from tenants.migrate.runner import migrate_platform
from tenants.registry import Tenant

#: Slug and plan.
_TENANTS: Final = (("acme", "pro"), ("globex", "free"))
_CLIENT_NAME: Final = "Demo machine"
SCOPES: Final = ("projects:read", "projects:write")


@dataclass(frozen=True, slots=True)
class DemoTenant:
    tenant: Tenant
    credentials: Credentials

    def document(self) -> dict[str, Any]:
        return {
            "slug": self.tenant.slug,
            "issuer": self.tenant.issuer,
            "host": self.tenant.host,
            "plan": self.tenant.plan.name,
            "client_id": self.credentials.client_id,
            "client_secret": self.credentials.client_secret,
            "owner_email": self.credentials.owner_email,
            "owner_password": self.credentials.owner_password,
        }


async def prepare(settings: Settings) -> list[DemoTenant]:
    """Migrate all that is there, then see to the demo tenants."""
    async with open_services(settings) as services:
        await migrate_platform(services.database)
        outcome = await migrate_all(services.database)
        for slug, cause in outcome.failed.items():
            output.note(f"{slug} could not be migrated and may not work ({cause}): `saas migrate` tries again")
        return await ensure_demo(services, settings.data)


async def ensure_demo(services: Services, data: Path) -> list[DemoTenant]:
    """The demo tenants with credentials that work. Those that were remembered stay as they are.

    Every secret is saved before the next step, so that a start that is killed loses what one step has made, no more;
    the next start replaces it.
    """
    memory = Memory.load(data)
    memory.public_url = services.settings.public.url
    made = []
    for slug, plan in _TENANTS:
        known = memory.tenants.setdefault(slug, Credentials())
        tenant = await _ensure_tenant(services, known, slug=slug, plan=plan)
        memory.save(data)
        await _ensure_client(services, known, tenant)
        memory.save(data)
        made.append(DemoTenant(tenant, known))
    return made


async def _ensure_tenant(services: Services, known: Credentials, *, slug: str, plan: str) -> Tenant:
    email = f"owner@{slug}.example"
    done = await onboard(
        services.database,
        services.registry,
        services.keys,
        slug=slug,
        name=slug.capitalize(),
        plan=plan,
        owner_email=email,
    )
    if done.owner_password is not None:
        known.owner_email, known.owner_password = email, done.owner_password
    elif not known.owner_password:
        known.owner_email, known.owner_password = email, await _new_owner_password(services, done.tenant, email)
    await services.keys.ring(done.tenant)  # fail now, rather than at the first token, where the master key is another
    return done.tenant


async def _new_owner_password(services: Services, tenant: Tenant, email: str) -> str:
    """For a tenant whose owner's password nobody knows, or that was made by hand with another owner."""
    password = new_password()
    password_hash = await hash_password(password)
    async with services.database.tenant_session(tenant) as session:
        try:
            await set_password(session, email, password_hash)
        except UserNotFound:
            await create_owner(session, email, password_hash)
    return password


async def _ensure_client(services: Services, known: Credentials, tenant: Tenant) -> None:
    """Keep the remembered client while it works; else give an unremembered one a new secret, or make one."""
    found = await services.clients.find(tenant, known.client_id) if known.client_id else None
    if found is not None and digest(known.client_secret) in {secret.digest for secret in found.secrets}:
        return
    async with services.database.tenant_session(tenant) as session:
        for client in await services.clients.list(session):
            if client.name == _CLIENT_NAME and client.revoked_at is None:
                known.client_id = client.client_id
                known.client_secret = await services.clients.rotate_secret(
                    session, tenant, client.client_id, timedelta(0)
                )
                return
        known.client_id, known.client_secret = await services.clients.create(
            session,
            tenant,
            ClientDefinition(name=_CLIENT_NAME, grant_types=["client_credentials"], scopes=SCOPES),
        )
