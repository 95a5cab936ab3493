"""A program for the tests: migrates, and in the middle of it kills itself or one of its processes by SIGKILL.

`python -m tests.unit.tenants.migrate.killed URL SCRIPTS me:3 worker:5` makes an attempt for each of the words, in a
process of its own: who is killed, and after how many tenants. Of each it prints one JSON line.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import psutil

from tenants.database import Database
from tenants.migrate import rollout
from tenants.migrate.plan import Behind
from tenants.migrate.render import Scripts


async def attempt(url: str, scripts: Scripts, victim: str, after: int) -> None:
    database = Database(url, pool_size=2)

    def on_progress(_tenant: Behind, done: int, _total: int) -> None:
        if done != after:
            return
        workers = psutil.Process().children()
        print(json.dumps({"workers": [worker.pid for worker in workers]}), flush=True)
        os.kill(os.getpid() if victim == "me" else workers[0].pid, signal.SIGKILL)

    rollout._WORTH_A_PROCESS = 1
    outcome = await rollout.migrate_all(database, on_progress, scripts, processes=2)
    print(json.dumps({"migrated": len(outcome.migrated), "failed": outcome.failed}), flush=True)
    await database.close()


def main(url: str, folder: str, *kills: str) -> None:
    scripts = Scripts(Path(folder))
    assert scripts.steps  # rendered here, once for all attempts
    for kill in kills:
        victim, after = kill.split(":")
        child = os.fork()
        if child == 0:
            asyncio.run(attempt(url, scripts, victim, int(after)))
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
