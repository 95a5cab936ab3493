"""/clients"""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from saas.access.guards import require
from saas.api.authority import By
from saas.idempotency.route import KeyedRoute
from saas.kit.clock import utc_now
from saas.oauth.clients import MAX_OVERLAP
from saas.oauth.definition import ClientDefinition
from saas.oauth.grants.connections import Held, held_by
from saas.oauth.kinds import KindName
from saas.oauth.registered import ClientInfo, locked, page_of_clients, read_client
from saas.web.api import api_router
from saas.web.deps import CurrentTenant, CursorText, Limit, TenantSession
from saas.web.etags import READS_ONE, IfMatch, tag
from saas.web.paging import Page
from saas.web.text import Line

router = api_router("/clients", "Apps", route_class=KeyedRoute)

_reader: Final = require("clients:read")
_writer: Final = require("clients:write")
ClientId = Annotated[str, Path(max_length=255, pattern=r"^[!-~]+$")]
Name = Annotated[Line, Field(min_length=1, max_length=100)]
Uri = Annotated[Line, Field(max_length=2000)]
Uris = Annotated[list[Uri], Field(max_length=20)]
ScopeNames = Annotated[list[Annotated[Line, Field(max_length=200)]], Field(max_length=200)]
_MOST_SECONDS: Final = int(MAX_OVERLAP.total_seconds())


class JwkSet(BaseModel):
    """RFC 7517 section 5: public keys alone."""

    keys: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=10)]


class NewClient(BaseModel):
    """Names are those of RFC 7591, where it has them. A kind brings its grants and its way to authenticate along."""

    model_config = ConfigDict(extra="forbid")

    kind: KindName
    name: Name
    scopes: ScopeNames = Field(description="What it may ask for", examples=[["openid", "email"]])
    default_scopes: ScopeNames | None = Field(
        None, description="What it gets when it asks for none; null: all", examples=[["openid"]]
    )
    redirect_uris: Uris = Field(
        [],
        description="Where people come back to it; not for machines and devices",
        examples=[["https://notes.example/callback"]],
    )
    post_logout_redirect_uris: Uris = Field([], examples=[["https://notes.example/"]])
    backchannel_logout_uri: Uri | None = Field(None, examples=["https://notes.example/logout"])
    first_party: bool = Field(False, description="It is your own: people are not asked for consent")
    jwks: JwkSet | None = Field(None, description="It proves who it is with these keys instead of a secret")
    resources: Uris = Field(
        [],
        description="APIs elsewhere that it may have tokens for (RFC 8707)",
        examples=[["https://api.notes.example"]],
    )


class ClientChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    # The factories make the fields optional without making null a value; what they return is never looked at.
    name: Name = Field(default_factory=str)
    scopes: ScopeNames = Field(default_factory=list, examples=[["openid", "email"]])
    default_scopes: ScopeNames | None = Field(None, examples=[["openid"]])
    redirect_uris: Uris = Field(default_factory=list)
    post_logout_redirect_uris: Uris = Field(default_factory=list)
    backchannel_logout_uri: Uri | None = Field(None, examples=["https://notes.example/logout"])
    first_party: bool = Field(default_factory=bool)
    jwks: JwkSet | None = Field(None, description="Takes the place of all keys that it had")
    resources: Uris = Field(default_factory=list)


class Secret(BaseModel):
    expires_at: datetime | None = Field(description="Set by a rotation; null for the secret that goes on")


class Client(BaseModel):
    client_id: str
    kind: KindName
    name: str
    grant_types: list[str]
    token_endpoint_auth_method: str
    scopes: list[str]
    default_scopes: list[str]
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    backchannel_logout_uri: str | None
    first_party: bool
    jwks: JwkSet | None
    resources: list[str]
    secrets: list[Secret] = Field(description="Those that are valid now")
    created_at: datetime
    updated_at: datetime


class MadeClient(Client):
    client_secret: str | None = Field(description="Told this once; null for an app that has none")


class Rotation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    overlap_seconds: int = Field(86_400, ge=0, le=_MOST_SECONDS, description="How long the old secret still works")


class NewSecret(BaseModel):
    client_id: str
    client_secret: str = Field(description="Told this once")
    old_secrets_end: datetime


class Access(BaseModel):
    """What it has from people now."""

    people: int
    refresh_tokens: int
    last_used_at: datetime | None = Field(description="When it last used a refresh token that it still has")


class Revocation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    consents: bool = Field(False, description="Ask people anew, too")


class Revoked(BaseModel):
    refresh_tokens: int
    consents: int


@router.get("", summary="List apps", dependencies=[_reader])
async def list_clients(
    *,
    session: TenantSession,
    limit: Limit = 20,
    cursor: CursorText = None,
    q: Annotated[Line | None, Query(max_length=200, description="A part of the name, or a client id")] = None,
) -> Page[Client]:
    """The newest first."""
    found = await page_of_clients(session, limit=limit, cursor=cursor, query=q)
    return Page[Client](items=[_view(info) for info in found.items], next_cursor=found.next_cursor)


@router.post("", status_code=201, summary="Make an app", dependencies=[_writer])
async def create_client(
    *, new: NewClient, session: TenantSession, tenant: CurrentTenant, by: By, request: Request, response: Response
) -> MadeClient:
    """Its secret is in the answer, and nowhere else.

    Nobody gives an app that acts unasked, a machine or a first-party app, more than they may do themselves.
    """
    fields = new.model_dump(exclude={"kind"})
    if new.jwks is not None:
        fields |= {"jwks": _text(new.jwks), "auth_method": "private_key_jwt"}
    definition = ClientDefinition.of_kind(new.kind, **fields)
    made = await request.app.state.clients.create(session, tenant, definition, by)
    response.headers["Location"] = f"{request.scope['path'].rstrip('/')}/{made.client_id}"
    view = _view(await read_client(session, made.client_id))
    tag(response, view)
    return MadeClient(**view.model_dump(), client_secret=made.secret or None)


@router.get("/{client_id}", summary="Read an app", dependencies=[_reader], openapi_extra=READS_ONE)
async def show_client(client_id: ClientId, session: TenantSession, request: Request, response: Response) -> Client:
    view = _view(await read_client(session, client_id))
    tag(response, view, request)
    return view


@router.get("/{client_id}/access", summary="See what people have given an app", dependencies=[_reader])
async def show_access(client_id: ClientId, session: TenantSession) -> Access:
    info = await read_client(session, client_id)
    held = (await held_by(session, [info.id], utc_now())).get(info.id, Held())
    return Access(**held._asdict())


@router.patch("/{client_id}", summary="Change an app", dependencies=[_writer])
async def change_client(
    *,
    client_id: ClientId,
    change: ClientChange,
    session: TenantSession,
    tenant: CurrentTenant,
    by: By,
    expected: IfMatch,
    request: Request,
    response: Response,
) -> Client:
    """Its kind stays. Tokens that it has keep what they allow until they are refreshed: see `revoke-tokens`."""
    if expected:
        await locked(session, client_id)
        expected.check(_view(await read_client(session, client_id)))
    fields = change.model_dump(exclude_unset=True)
    if fields.get("jwks") is not None and change.jwks is not None:
        fields["jwks"] = _text(change.jwks)
    await request.app.state.apps.change(session, tenant, client_id, fields, by)
    view = _view(await read_client(session, client_id))
    tag(response, view)
    return view


@router.delete("/{client_id}", status_code=204, summary="Delete an app", dependencies=[_writer])
async def delete_client(
    client_id: ClientId, session: TenantSession, tenant: CurrentTenant, expected: IfMatch, request: Request
) -> None:
    """And its secrets, its tokens, and what people have allowed it."""
    if expected:
        await locked(session, client_id)
        expected.check(_view(await read_client(session, client_id)))
    await request.app.state.apps.delete(session, tenant, client_id)


@router.post("/{client_id}/rotate-secret", summary="Give an app a new secret", dependencies=[_writer])
async def rotate_secret(
    *,
    client_id: ClientId,
    session: TenantSession,
    tenant: CurrentTenant,
    by: By,
    request: Request,
    rotation: Rotation | None = None,
) -> NewSecret:
    """The old one works until the overlap is over."""
    overlap = timedelta(seconds=(rotation or Rotation()).overlap_seconds)
    secret = await request.app.state.clients.rotate_secret(session, tenant, client_id, overlap, by)
    return NewSecret(client_id=client_id, client_secret=secret, old_secrets_end=utc_now() + overlap)


@router.post("/{client_id}/revoke-tokens", summary="Revoke all tokens of an app", dependencies=[_writer])
async def revoke_tokens(
    client_id: ClientId,
    session: TenantSession,
    tenant: CurrentTenant,
    request: Request,
    revocation: Revocation | None = None,
) -> Revoked:
    """Access tokens, refresh tokens and codes that it got up to now. It may go on to get new ones."""
    consents = (revocation or Revocation()).consents
    ended = await request.app.state.apps.revoke_tokens(session, tenant, client_id, consents=consents)
    return Revoked(**ended._asdict())


def _text(jwks: JwkSet) -> str:
    return json.dumps(jwks.model_dump())


def _view(info: ClientInfo) -> Client:
    """Skips validation: what was checked on its way in needs no second look on its way out."""
    return Client.model_construct(
        client_id=info.client_id,
        kind=info.kind.name,
        name=info.name,
        grant_types=list(info.grant_types),
        token_endpoint_auth_method=info.auth_method,
        scopes=list(info.scopes),
        default_scopes=list(info.default_scopes),
        redirect_uris=list(info.redirect_uris),
        post_logout_redirect_uris=list(info.post_logout_redirect_uris),
        backchannel_logout_uri=info.backchannel_logout_uri,
        first_party=info.first_party,
        jwks=None if info.jwks is None else JwkSet.model_construct(keys=json.loads(info.jwks)["keys"]),
        resources=list(info.resources),
        secrets=[Secret.model_construct(expires_at=end) for end in info.secret_ends],
        created_at=info.created_at,
        updated_at=info.updated_at,
    )
