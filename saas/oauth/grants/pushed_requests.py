"""Pushed authorization requests in PostgreSQL (RFC 9126): found by client and reference, gone once answered."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Table, bindparam, delete, func, insert, update

from saas.authserver.client import Client
from saas.authserver.pushed_request import LIFETIME, OPEN
from saas.kit.crypto import digest
from saas.oauth.grants.models import PushedRequestRow
from tenants.base import new_id
from tenants.direct import Direct
from tenants.statements import Statement

_requests: Final[Table] = PushedRequestRow.metadata.tables[PushedRequestRow.__tablename__]
_its: Final = (_requests.c.digest == bindparam("reference"), _requests.c.client == bindparam("owner"))
_insert: Final = Statement(insert(_requests))
_open: Final = Statement(
    update(_requests)
    .where(*_its, _requests.c.expires_at > bindparam("now"))
    .values(expires_at=func.greatest(_requests.c.expires_at, _requests.c.created_at + timedelta(seconds=OPEN)))
    .returning(_requests.c.parameters)
)
_spend: Final = Statement(delete(_requests).where(*_its).returning(_requests.c.id))


async def push(direct: Direct, request_uri: str, client: Client, parameters: Mapping[str, str], now: datetime) -> None:
    values = {"created_at": now, "expires_at": now + timedelta(seconds=LIFETIME)}
    stored = json.dumps(parameters, separators=(",", ":"))
    await direct.row(_insert, id=new_id(), digest=digest(request_uri), client=client.id, parameters=stored, **values)


async def open_request(direct: Direct, request_uri: str, client: Client, now: datetime) -> dict[str, str] | None:
    """What was pushed; None where it has expired, is spent, or is another client's.

    From now on the person has time: they may reload a page, and take longer to sign in than the client had to begin.
    """
    row = await direct.row(_open, reference=digest(request_uri), owner=client.id, now=now)
    if row is None:
        return None
    parameters: dict[str, str] = json.loads(row["parameters"])
    return parameters


async def spend(direct: Direct, request_uri: str, client: Client) -> bool:
    """False where another answer has spent it before."""
    return await direct.row(_spend, reference=digest(request_uri), owner=client.id) is not None
