"""Client assertions that were used: each is good for one request (RFC 7523 section 3, `jti`)."""

from typing import Final

from sqlalchemy import Table, bindparam
from sqlalchemy.dialects.postgresql import insert

from saas.authserver.assertion import Proof
from saas.oauth.grants.models import AssertionRow
from tenants.database import Database
from tenants.registry import Tenant
from tenants.statements import Statement

_rows: Final[Table] = AssertionRow.metadata.tables[AssertionRow.__tablename__]
_use: Final = Statement(
    insert(_rows)
    .values(digest=bindparam("digest"), expires_at=bindparam("until"))
    .on_conflict_do_nothing(index_elements=[_rows.c.digest])
    .returning(_rows.c.digest)
)


async def use(database: Database, tenant: Tenant, proof: Proof) -> bool:
    """Whether this is its first use. Of several at once, one is: the others wait for it to commit.

    In a transaction of its own, so that it stays used whatever becomes of the request.
    """
    async with database.direct(tenant) as direct:
        return await direct.row(_use, digest=proof.digest, until=proof.expires_at) is not None
