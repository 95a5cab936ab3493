"""/domains: custom domains, claimed, proved by a TXT record, and removed."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Path, Request, Response
from pydantic import BaseModel, Field

from saas.access.guards import require
from saas.audit.tenancy import change_tenant, claim_domain, tell_verified
from saas.web.api import api_router
from saas.web.etags import READS_ONE, tag
from saas.web.text import Line
from tenants import domains
from tenants.domains import Domain
from tenants.errors import DomainNotFound
from tenants.names import normalize_host

router = api_router("/domains", "Domains")

_reader: Final = require("settings:read")
_writer: Final = require("settings:write")
Host = Annotated[Line, Path(min_length=1, max_length=253, description="Like login.example.com")]


class TxtRecord(BaseModel):
    """What the DNS has to say."""

    name: str
    value: str


class DomainView(BaseModel):
    host: str
    verified_at: datetime | None = Field(
        description="From when on it leads to the tenant; null: it waits for its proof"
    )
    record: TxtRecord | None = Field(description="The TXT record that proves it, while it waits")
    checked_at: datetime | None = Field(description="When the record was looked for last, while it waits")


class DomainList(BaseModel):
    items: list[DomainView]


@router.get("", summary="List domains", dependencies=[_reader])
async def list_domains(request: Request) -> DomainList:
    """Those that lead to the tenant, then those that wait for their proof: not many, so all of them."""
    return DomainList(items=[_view(domain) for domain in await _all(request)])


@router.get("/{host}", summary="Read a domain", dependencies=[_reader], openapi_extra=READS_ONE)
async def read_domain(host: Host, request: Request, response: Response) -> DomainView:
    canonical = normalize_host(host)
    found = next((domain for domain in await _all(request) if domain.host == canonical), None)
    if found is None:
        raise DomainNotFound(f"There is no domain {host} here: add it with PUT")
    tag(response, _view(found), request)
    return _view(found)


@router.put("/{host}", summary="Add a domain", dependencies=[_writer], responses={201: {"model": DomainView}})
async def add_domain(host: Host, request: Request, response: Response) -> DomainView:
    """Claims the host: answers with the TXT record that proves it. A domain that is there already stays as it is."""
    state, tenant = request.app.state, request.scope["tenant"]
    domain, new = await claim_domain(state.database, state.registry, tenant, host)
    if new:
        response.status_code = 201
    tag(response, _view(domain))
    return _view(domain)


@router.post("/{host}/verify", summary="Verify a domain", dependencies=[_writer])
async def verify_domain(host: Host, request: Request, response: Response) -> DomainView:
    """Looks for the TXT record now; where it is right, the host leads to the tenant within a second.

    Asking again does no harm, and the platform asks by itself for two weeks.
    """
    state, tenant = request.app.state, request.scope["tenant"]
    domain = await domains.verify_domain(state.database, tenant, host, state.txt, told=tell_verified)
    tag(response, _view(domain))
    return _view(domain)


@router.delete("/{host}", status_code=204, summary="Remove a domain", dependencies=[_writer])
async def remove_domain(host: Host, request: Request) -> None:
    """Nobody is reached there any more, within a second; a claim that waits for its proof is taken back."""
    state, tenant = request.app.state, request.scope["tenant"]

    async def change(session: Any) -> None:
        await domains.remove_domain(session, tenant, host)

    await change_tenant(state.database, tenant, "domain.removed", change, host=host)


async def _all(request: Request) -> list[Domain]:
    async with request.app.state.database.platform_session() as session:
        return await domains.list_domains(session, request.scope["tenant"])


def _view(domain: Domain) -> DomainView:
    waits = domain.record is not None and domain.value is not None
    return DomainView(
        host=domain.host,
        verified_at=domain.verified_at,
        record=TxtRecord(name=domain.record or "", value=domain.value or "") if waits else None,
        checked_at=domain.checked_at,
    )
