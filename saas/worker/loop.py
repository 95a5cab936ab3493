"""The loop of `saas worker`. Several may run at once: what one has taken, the others leave alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from saas.services import WAITING_LOGOUTS, Services
from saas.worker.jobs import Job, PlatformJob, jobs_of, platform_jobs_of
from tenants.registry import Tenant

log = structlog.get_logger(__name__)

#: Seconds between two looks at which tenants have logouts that cannot wait for their round.
_URGENT_INTERVAL: Final = 1.0
_URGENT_TENANTS: Final = 100


@dataclass(slots=True)
class Outcome:
    """Of one round: how many tenants went well, how many failed, and how many things were done."""

    job: str
    tenants: int = 0
    failed: int = 0
    done: int = 0


class Worker:
    """One job after another is not how it goes: each has its own rhythm."""

    def __init__(
        self,
        services: Services,
        jobs: Sequence[Job] | None = None,
        platform_jobs: Sequence[PlatformJob] | None = None,
    ) -> None:
        """Without any, it has all jobs that there are."""
        everything = jobs is None and platform_jobs is None
        self._services = services
        self._jobs = jobs_of(services) if everything else jobs or ()
        self._platform_jobs = platform_jobs_of(services) if everything else platform_jobs or ()
        self._parallel = services.settings.worker.parallel
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Finish what is being done for a tenant, begin nothing more, and let `run` return."""
        self._stop.set()

    async def once(self) -> list[Outcome]:
        """One round of each job. Raises what keeps it from the list of tenants."""
        platform = [await self._platform_round(job) for job in self._platform_jobs]
        return [*platform, *[await self._round(job) for job in self._jobs]]

    async def run(self) -> None:
        """Until `stop`."""
        rounds = [(job.name, job.interval, partial(self._round, job)) for job in self._jobs]
        rounds += [(job.name, job.interval, partial(self._platform_round, job)) for job in self._platform_jobs]
        await asyncio.gather(*(self._repeat(*each) for each in rounds), self._answer_urgent())

    async def _repeat(self, name: str, interval: float, do_round: Callable[[], Awaitable[Outcome]]) -> None:
        while not self._stop.is_set():
            try:
                outcome = await do_round()
                if outcome.done or outcome.failed:
                    log.info("A round is done", **_fields(outcome))
            except (SQLAlchemyError, OSError) as error:
                log.warning("The tenants could not be listed, trying again", job=name, reason=str(error))
            await self._sleep(interval)

    async def _answer_urgent(self) -> None:
        """Valkey is told of sessions that have ended; what it forgets, the next round finds."""
        jobs = [job for job in self._jobs if job.name == "logouts"]
        while jobs and not self._stop.is_set():
            try:
                members = await self._services.redis.spop(WAITING_LOGOUTS, _URGENT_TENANTS)
                if isinstance(members, (list, set)) and members:
                    await self._round(jobs[0], frozenset(map(_id, members)))
                    continue
            except (RedisError, SQLAlchemyError, OSError) as error:
                log.warning("Could not look for logouts, trying again", reason=str(error))
            await self._sleep(_URGENT_INTERVAL)

    async def _round(self, job: Job, only: frozenset[UUID] | None = None) -> Outcome:
        async with self._services.database.platform_session() as session:
            tenants = await self._services.registry.all(session)
        active = [tenant for tenant in tenants if tenant.status == "active"]
        waiting = iter([tenant for tenant in active if only is None or tenant.id in only])
        outcome = Outcome(job.name)
        await asyncio.gather(*(self._take(job, waiting, outcome) for _ in range(self._parallel)))
        return outcome

    async def _platform_round(self, job: PlatformJob) -> Outcome:
        outcome = Outcome(job.name)
        try:
            while not self._stop.is_set() and (done := await job.work()):
                outcome.done += done
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            outcome.failed += 1
            log.exception("A job failed for the platform, and is tried again", job=job.name)
        return outcome

    async def _take(self, job: Job, waiting: Iterator[Tenant], outcome: Outcome) -> None:
        for tenant in waiting:
            if self._stop.is_set():
                return
            try:
                outcome.done += await job.work(tenant)
                outcome.tenants += 1
            except Exception:
                outcome.failed += 1
                log.exception(
                    "A job failed for a tenant, and goes on with the others", job=job.name, tenant=tenant.slug
                )

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[None]:
    """A worker beside whatever else this process does, for the time of the block."""
    worker = Worker(services)
    task = asyncio.create_task(worker.run(), name="worker")
    try:
        yield
    finally:
        worker.stop()
        await task


def _fields(outcome: Outcome) -> dict[str, object]:
    return {"job": outcome.job, "tenants": outcome.tenants, "failed": outcome.failed, "done": outcome.done}


def _id(member: object) -> UUID:
    return UUID(member.decode() if isinstance(member, bytes) else str(member))
