"""How far somebody's rights over others reach: of what is sensitive, nobody gives or takes more than they hold.

What is not sensitive anybody may give who may give roles at all: it is what the role `member` allows. The role `owner`
is the owners' alone: only they make owners, and only they change them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from saas.identity.errors import BeyondAuthority, OwnAccount
from saas.identity.roles import IDENTITY_SCOPES, OWNER, CatalogueScope, scopes_of


@dataclass(frozen=True, slots=True)
class Authority:
    """Of a person, or of a program: what they may do themselves. Where a service takes None for it, an operator acts,
    who may do everything."""

    scopes: frozenset[str]
    #: Whether it is an owner who acts.
    owner: bool
    catalogue: Iterable[CatalogueScope]
    #: Who, where it is a person.
    user_id: UUID | None = None

    def covers(self, scopes: Collection[str]) -> bool:
        """Whether all that is sensitive of `scopes` is held."""
        more = set(scopes) - self.scopes - IDENTITY_SCOPES
        return not any(scope.sensitive and scope.name in more for scope in self.catalogue)

    async def reaches(self, session: AsyncSession, roles: Collection[str]) -> bool:
        """Whether these roles may be given, and people who have them be changed."""
        if OWNER in roles and not self.owner:
            return False
        return self.covers(await scopes_of(session, roles, self.catalogue))

    async def check_person(self, session: AsyncSession, roles: Collection[str]) -> None:
        """Before somebody who has `roles` is changed. Raises BeyondAuthority."""
        if not await self.reaches(session, roles):
            raise BeyondAuthority(
                "Only an owner changes an owner: ask one"
                if OWNER in roles
                else "Their roles allow more than yours: ask somebody who may do all that they may"
            )

    async def check_given(self, session: AsyncSession, roles: Collection[str]) -> None:
        """Before `roles` are given to somebody. Raises BeyondAuthority."""
        if not await self.reaches(session, roles):
            raise BeyondAuthority(
                "Only an owner makes others owners: ask one"
                if OWNER in roles
                else f"{', '.join(roles)}: this allows what you may not do yourself. Give roles that allow no more"
            )

    def check_role(self, scopes: Collection[str]) -> None:
        """Before a role with `scopes` is made, changed or deleted. Raises BeyondAuthority."""
        if not self.covers(scopes):
            missing = [scope.name for scope in self.catalogue if scope.sensitive and scope.name in scopes]
            beyond = ", ".join(name for name in missing if name not in self.scopes)
            raise BeyondAuthority(f"This role allows what you may not do yourself: {beyond}")

    def check_other(self, user_id: UUID) -> None:
        """Before somebody is shut out. Raises OwnAccount."""
        if user_id == self.user_id:
            raise OwnAccount("This is your own account: ask another administrator")
