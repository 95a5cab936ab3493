"""The loop over tenants and jobs, on real tenants, with jobs of the tests' own."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from saas.services import WAITING_LOGOUTS, Services
from saas.worker.jobs import Job, PlatformJob, jobs_of, platform_jobs_of
from saas.worker.loop import Worker, working
from tenants.registry import Tenant


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


def counting(counter: Counter[str], interval: float = 3600, name: str = "count") -> Job:
    async def work(tenant: Tenant) -> int:
        counter[tenant.slug] += 1
        return 1

    return Job(name, interval, work)


async def test_active_tenants_are_worked_for_and_others_are_not(
    services: Services, tenant: Tenant, other_tenant: Tenant
) -> None:
    async with services.database.platform_session() as session:
        await services.registry.suspend(session, other_tenant.slug, "unpaid")
    worked: Counter[str] = Counter()
    (outcome,) = await Worker(services, [counting(worked)]).once()
    assert worked[tenant.slug] == 1
    assert worked[other_tenant.slug] == 0
    assert set(worked.values()) == {1}
    assert (outcome.tenants, outcome.done, outcome.failed) == (len(worked), len(worked), 0)


async def test_the_failure_of_one_tenant_does_not_stop_the_others(
    services: Services, tenant: Tenant, other_tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    worked: Counter[str] = Counter()

    async def work(chosen: Tenant) -> int:
        if chosen.slug == tenant.slug:
            raise ZeroDivisionError
        worked[chosen.slug] += 1
        return 1

    (outcome,) = await Worker(services, [Job("fragile", 3600, work)]).once()
    assert outcome.failed == 1
    assert worked[other_tenant.slug] == 1


async def test_each_job_has_its_own_rhythm_and_all_stop_when_told(services: Services, tenant: Tenant) -> None:
    often: Counter[str] = Counter()
    seldom: Counter[str] = Counter()
    worker = Worker(services, [counting(often, 0.01), counting(seldom)])
    task = asyncio.create_task(worker.run())
    await until(lambda: often[tenant.slug] >= 3)
    worker.stop()
    async with asyncio.timeout(5):
        await task
    assert seldom[tenant.slug] == 1


async def test_what_has_begun_for_a_tenant_is_finished_and_nothing_more_is_begun(
    services: Services, tenant: Tenant, other_tenant: Tenant
) -> None:
    begun: list[str] = []
    finished: list[str] = []
    go_on = asyncio.Event()

    async def work(chosen: Tenant) -> int:
        begun.append(chosen.slug)
        await go_on.wait()
        finished.append(chosen.slug)
        return 1

    worker = Worker(services, [Job("slow", 0.01, work)])
    task = asyncio.create_task(worker.run())
    parallel = services.settings.worker.parallel
    await until(lambda: len(begun) == parallel)
    worker.stop()
    go_on.set()
    async with asyncio.timeout(5):
        await task
    assert begun == finished
    assert len(begun) == parallel


async def test_a_tenant_with_new_logouts_does_not_wait_for_its_round(services: Services, tenant: Tenant) -> None:
    worked: Counter[str] = Counter()
    worker = Worker(services, [counting(worked, name="logouts")])
    task = asyncio.create_task(worker.run())
    async with services.database.platform_session() as session:
        active = [each for each in await services.registry.all(session) if each.status == "active"]
    await until(lambda: worked.total() == len(active))
    await services.redis.sadd(WAITING_LOGOUTS, tenant.id.hex)
    await until(lambda: worked[tenant.slug] == 2)
    worker.stop()
    await task
    assert worked.total() == len(active) + 1


async def test_it_runs_beside_a_server_and_ends_with_it(services: Services) -> None:
    before = asyncio.all_tasks()
    async with working(services):
        assert any(task.get_name() == "worker" for task in asyncio.all_tasks())
    assert {task for task in asyncio.all_tasks() if task.get_name() == "worker"} <= before


async def test_the_jobs_do_what_is_due(services: Services, tenant: Tenant) -> None:
    jobs: dict[str, Callable[[Tenant], Awaitable[int]]] = {job.name: job.work for job in jobs_of(services)}
    assert jobs.keys() == {"audit", "cleanup", "keys", "logouts"}
    for work in jobs.values():
        assert await work(tenant) == 0


async def test_the_pool_is_filled(services: Services) -> None:
    (job,) = (job for job in platform_jobs_of(services) if job.name == "pool")
    outcome, *_ = await Worker(services, platform_jobs=[job]).once()
    assert (outcome.job, outcome.failed) == ("pool", 0)
    async with services.database.platform_session() as session:
        ready = await session.scalar(text("SELECT count(*) FROM platform.schema_pool WHERE revision IS NOT NULL"))
    assert ready >= services.settings.worker.pool > 0
    assert await job.work() == 0


async def test_a_job_of_the_platform_that_fails_is_tried_again(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [ZeroDivisionError, ZeroDivisionError]

    async def work() -> int:
        if failures:
            raise failures.pop()
        return 0

    worker = Worker(services, platform_jobs=[PlatformJob("fragile", 0.01, work)])
    task = asyncio.create_task(worker.run())
    await until(lambda: not failures)
    worker.stop()
    async with asyncio.timeout(5):
        await task
