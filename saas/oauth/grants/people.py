"""What ID tokens and the UserInfo endpoint tell of people: columns of their rows."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, bindparam, select

from saas.authserver.claims import Person
from saas.identity.models import UserRow
from tenants.database import Database
from tenants.registry import Tenant
from tenants.statements import Statement

_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
#: For a SELECT that joins users; `person_of` takes their values.
PERSON: Final = (_users.c.name, _users.c.email, _users.c.email_verified_at, _users.c.updated_at)
_by_id: Final = Statement(select(*PERSON).where(_users.c.id == bindparam("user_id"), _users.c.disabled_at.is_(None)))


def person_of(values: Sequence[Any]) -> Person:
    name, email, verified_at, updated_at = values
    return Person(name, email, verified_at is not None, updated_at)


async def find_person(database: Database, tenant: Tenant, user_id: UUID) -> Person | None:
    """None where there is nobody, or they are disabled."""
    row = await database.read_one(tenant, _by_id, user_id=user_id)
    return None if row is None else person_of(tuple(row.values()))
