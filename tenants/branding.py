"""A tenant's looks: what it may choose, and where that is kept."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.changes import mark_changed
from tenants.errors import InvalidBranding
from tenants.models import LogoRow, TenantRow
from tenants.names import check_text
from tenants.registry import Registry, Tenant

#: Bytes of a logo: every page loads it.
MAX_LOGO: Final = 65_536
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
#: By how its content begins; what it is called proves nothing. No SVG, which can hold scripts.
_MEDIA_TYPES: Final = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
MEDIA_TYPES: Final = tuple(_MEDIA_TYPES.values())


@dataclass(frozen=True, slots=True)
class Logo:
    media_type: str
    content: bytes


async def set_looks(
    session: AsyncSession, registry: Registry, tenant: Tenant, *, name: str, accent: str | None
) -> Tenant:
    """Name and colour at once; the tenant as it is then. Raises InvalidName and InvalidBranding."""
    row = await registry.changeable(session, tenant.slug)
    checked = check_text(name, "name")
    if row.name != checked:
        row.name = checked
        mark_changed(session, tenant.id)
    if row.accent != check_accent(accent):
        await set_accent(session, tenant, accent)
    await session.flush()
    return await registry.get(session, tenant.slug)


async def set_accent(session: AsyncSession, tenant: Tenant, accent: str | None) -> None:
    """The colour of buttons and links; None: the platform's own. Raises InvalidBranding."""
    row = await session.get_one(TenantRow, tenant.id)
    row.accent = check_accent(accent)
    mark_changed(session, tenant.id)


def check_accent(accent: str | None) -> str | None:
    """The colour as it is stored. Raises InvalidBranding."""
    if accent is not None and not _COLOUR.fullmatch(accent.lower()):
        raise InvalidBranding(f"{accent!r} is not a colour: write it like #3451d1")
    return accent and accent.lower()


async def set_logo(session: AsyncSession, tenant: Tenant, content: bytes | None) -> None:
    """A PNG, JPEG or WebP image; None takes it away. Raises InvalidBranding."""
    name = None if content is None else f"{sha256(content).hexdigest()[:16]}.{_kind(content)}"
    await session.execute(delete(LogoRow).where(LogoRow.tenant_id == tenant.id))
    if name is not None and content is not None:
        media_type = _MEDIA_TYPES[name.rpartition(".")[2]]
        session.add(LogoRow(tenant_id=tenant.id, media_type=media_type, content=content))
    row = await session.get_one(TenantRow, tenant.id)
    row.logo = name
    mark_changed(session, tenant.id)


async def find_logo(session: AsyncSession, tenant_id: UUID) -> Logo | None:
    query = select(LogoRow.media_type, LogoRow.content).where(LogoRow.tenant_id == tenant_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else Logo(*row)


def _kind(content: bytes) -> str:
    if len(content) > MAX_LOGO:
        raise InvalidBranding(f"The logo has {len(content)} bytes: at most {MAX_LOGO} are allowed")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    raise InvalidBranding("The logo is not a PNG, JPEG or WebP image")
