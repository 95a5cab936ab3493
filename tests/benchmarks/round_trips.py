"""How often a flow waits for the database: counted at the driver, in the whole application, in this process."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import event

from saas.main import create_app
from saas.settings import Settings
from tests.benchmarks.processes import Step

#: Caches are warm after the first; and in one of the others no background task asks something of its own.
_REPETITIONS = 6


async def count_round_trips(flows: Mapping[str, tuple[Step, ...]]) -> dict[str, int]:
    """By the flow's name. What an earlier flow has taken, a later one may need."""
    app = create_app(Settings())
    sent: list[str] = []
    drivers: set[Any] = set()

    def watch(connection: Any, *_: object) -> None:
        driver = connection.driver_connection
        if driver not in drivers:
            drivers.add(driver)
            driver.add_query_logger(lambda query: sent.append(query.query))

    async with app.router.lifespan_context(app):
        event.listen(app.state.database.engine.sync_engine.pool, "checkout", watch)
        taken: dict[str, str] = {}
        counts: dict[str, int] = {}
        for name, steps in flows.items():
            seen = []
            for _ in range(_REPETITIONS):
                sent.clear()
                await _walk(app, steps, taken)
                await asyncio.sleep(0)  # the driver tells its loggers at the next turn of the loop
                seen.append(len(sent))
            counts[name] = min(seen)
        return counts


async def _walk(app: FastAPI, steps: tuple[Step, ...], taken: dict[str, str]) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        for step in steps:
            text = step.request
            for name, value in taken.items():
                text = text.replace(f"{{{name}}}", value)
            head, _, body = text.partition("\r\n\r\n")
            line, *fields = head.split("\r\n")
            method, target, _ = line.split(" ")
            headers = dict(field.split(": ", 1) for field in fields)
            answer = await client.request(method, f"http://{headers['Host']}{target}", headers=headers, content=body)
            if answer.status_code != step.status:
                raise RuntimeError(f"An unexpected answer: {answer.status_code} {answer.text}")
            if step.take:
                found = re.search(step.take, f"{answer.headers}{answer.text}")
                taken.update(found.groupdict() if found else {})
