"""`saas migrate` for the tenants: who goes first, how many at a time, and when to stop."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import asyncpg
from sqlalchemy.exc import DBAPIError

from tenants.database import Database
from tenants.errors import TenancyError
from tenants.migrate.fleet import Fleet
from tenants.migrate.plan import Behind, behind
from tenants.migrate.render import TENANT, Scripts
from tenants.migrate.runner import migrate_tenant

#: With fewer tenants than this, starting processes takes longer than the work.
_WORTH_A_PROCESS = 32

Progress = Callable[[Behind, int, int], None]


@dataclass(slots=True)
class Outcome:
    """What `migrate_all` did: slugs that were moved, those that failed with the cause, and why it stopped early."""

    migrated: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    #: None where everyone had a turn.
    halted: str | None = None
    #: How many had no turn.
    left: int = 0


async def migrate_all(
    database: Database,
    on_progress: Progress | None = None,
    scripts: Scripts = TENANT,
    *,
    canaries: Iterable[str] = (),
    max_failures: int | None = None,
    processes: int = 0,
) -> Outcome:
    """Bring every tenant that is behind to the head; `on_progress(tenant, done, total)` is called after each.

    `canaries` are slugs that go first, in that order: one that fails stops everything. More than `max_failures` stop
    it too (None: they never do). `processes` work at once, 0: none but this one. Stopped or killed at any moment, run
    it again: it goes on. Where nobody is behind this is one SELECT.
    """
    tenants = await behind(database, scripts)
    rollout = _Rollout(database, scripts, len(tenants), max_failures, on_progress)
    by_slug = {tenant.slug: tenant for tenant in tenants}
    await rollout.one_by_one([by_slug.pop(slug) for slug in canaries if slug in by_slug], canary=True)
    await rollout.rest(list(by_slug.values()), processes)
    return rollout.finish()


class _Rollout:
    def __init__(
        self, database: Database, scripts: Scripts, total: int, max_failures: int | None, on_progress: Progress | None
    ) -> None:
        self._database = database
        self._scripts = scripts
        self._total = total
        self._max_failures = max_failures
        self._on_progress = on_progress
        self._outcome = Outcome()

    async def rest(self, tenants: list[Behind], processes: int) -> None:
        if self._outcome.halted is not None:
            return
        if processes and len(tenants) >= _WORTH_A_PROCESS:
            known = [tenant for tenant in tenants if tenant.revision is not None]
            unmade = [tenant for tenant in tenants if tenant.revision is None]
            tenants = [*await Fleet(self._database, self._scripts, known, self._report).run(processes), *unmade]
        await self.one_by_one(tenants)

    async def one_by_one(self, tenants: list[Behind], *, canary: bool = False) -> None:
        """Careful, and in this process: what the schema says decides."""
        for tenant in tenants:
            if self._outcome.halted is not None:
                return
            cause = None
            try:
                await migrate_tenant(self._database, tenant, self._scripts)
            except (asyncpg.PostgresError, DBAPIError, OSError, TenancyError) as error:
                cause = str(getattr(error, "orig", None) or error)
            if not self._report(tenant, cause) or not canary or cause is None:
                continue
            self._outcome.halted = f"the canary {tenant.slug} failed"

    def finish(self) -> Outcome:
        self._outcome.left = self._total - len(self._outcome.migrated) - len(self._outcome.failed)
        return self._outcome

    def _report(self, tenant: Behind, cause: str | None) -> bool:
        outcome = self._outcome
        if cause is None:
            outcome.migrated.append(tenant.slug)
        else:
            outcome.failed[tenant.slug] = cause
        if self._max_failures is not None and len(outcome.failed) > self._max_failures:
            outcome.halted = f"more than {self._max_failures} failed"
        if self._on_progress is not None:
            self._on_progress(tenant, len(outcome.migrated) + len(outcome.failed), self._total)
        return outcome.halted is None
