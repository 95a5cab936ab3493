"""/keys: the tenant's signing keys, and their rotation by hand. That by age is the worker's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import Path, Request
from pydantic import BaseModel, Field

from saas.access.guards import require
from saas.idempotency.route import KeyedRoute
from saas.keys.lifecycle import KeyInfo
from saas.web.api import api_router
from saas.web.deps import TenantSession
from saas.web.text import Line

router = api_router("/keys", "Keys", route_class=KeyedRoute)

_reader: Final = require("settings:read")
_writer: Final = require("settings:write")
Algorithm = Annotated[Line, Path(max_length=20, description="ES256 or RS256")]


class KeyView(BaseModel):
    kid: str
    algorithm: str
    status: Literal["next", "active", "retiring"] = Field(
        description="Next: published, and does not sign yet; active: signs; retiring: verifies what it signed"
    )
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None = Field(description="When it will be published no more, once another one signs")


class KeyList(BaseModel):
    items: list[KeyView]


class Rotation(KeyList):
    done: Literal["published", "activated"] | None = Field(
        description="Published: there is a next key; activated: it signs; null: it is not published long enough to sign"
    )


@router.get("", summary="List signing keys", dependencies=[_reader])
async def list_keys(session: TenantSession, request: Request) -> KeyList:
    """Those that are published at `/oauth2/jwks`, the oldest first."""
    return KeyList(items=_views(await request.app.state.key_lifecycle.published(session)))


@router.post("/{algorithm}/rotate", summary="Replace a signing key", dependencies=[_writer])
async def rotate_key(algorithm: Algorithm, session: TenantSession, request: Request) -> Rotation:
    """Publishes the next key now. It signs once clients have had the time to fetch it, by itself or asked again; until
    its tokens have expired the old one is published. So no token fails, and asking again does no harm."""
    lifecycle, tenant = request.app.state.key_lifecycle, request.scope["tenant"]
    done = await lifecycle.rotate(session, tenant.id, algorithm)
    return Rotation(items=_views(await lifecycle.published(session)), done=done)


def _views(keys: Sequence[KeyInfo]) -> list[KeyView]:
    return [KeyView.model_validate(key, from_attributes=True) for key in keys]
