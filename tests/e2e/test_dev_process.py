"""`saas dev` as somebody meets it: start, paste the session, stop, start again, kill, start again."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tenants.database import Database
from tests.e2e import dev

pytestmark = pytest.mark.usefixtures("terminal_signals")


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """One folder for this file: the first start in it migrates and provisions, the others are quick.

    Not below pytest's, which every starting pytest closes to all but its user: the servers may have their own.
    """
    with TemporaryDirectory(prefix="saas-test-") as folder:
        yield Path(folder) / "data"


def test_the_printed_session_works_as_it_is(data: Path) -> None:
    with dev.start(data) as process:
        try:
            printed = "".join(_lines_up_to(process, "Ctrl-C stops it"))
            session = printed[printed.index("echo '==") : printed.index("Ctrl-C stops it")]
            done = subprocess.run(
                ["bash"], input=session, env=dev.environment(), capture_output=True, text=True, timeout=60, check=True
            )
        finally:
            process.terminate()
            assert process.wait(60) == 0
    assert not dev.servers_in(data)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    metadata, created, listed, refused = (json.loads(line) for line in lines if line.startswith("{"))
    assert f"acme     address     {metadata['issuer']} " in printed
    assert created["name"] == "Apollo"
    assert listed["items"] == [created]
    assert refused["status"] == 401
    assert lines[-1] == "HTTP 401"


def _lines_up_to(process: "subprocess.Popen[str]", last: str) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if last in line:
            return


def test_prints_one_json_line_and_the_same_credentials_at_every_start_however_the_last_one_ended(data: Path) -> None:
    with dev.running(data) as first:
        base_url = httpx.URL(first.document["base_url"])
        assert (base_url.scheme, base_url.host) == ("http", "127.0.0.1")
        assert httpx.get(f"{base_url}/readyz").status_code == 200
        tenants = first.document["tenants"]
        assert [(tenant["slug"], tenant["plan"]) for tenant in tenants] == [("acme", "pro"), ("globex", "free")]
        for tenant in tenants:
            assert tenant["host"] == f"{tenant['slug']}.localhost"
            assert tenant["issuer"] == f"http://{tenant['host']}:{base_url.port}"
            assert tenant["owner_email"] == f"owner@{tenant['slug']}.example"
            assert tenant["owner_password"]
            assert first.token(tenant["slug"]).json()["scope"] == "projects:read projects:write"
        os.killpg(first.process.pid, signal.SIGINT)
        assert first.process.wait(60) == 0
        assert first.process.stdout is not None
        assert first.process.stdout.read() == ""
    assert not dev.servers_in(data)
    with dev.running(data) as killed:
        assert killed.credentials() == first.credentials()
        assert killed.token("acme").status_code == 200
        assert killed.stop(signal.SIGKILL) == -signal.SIGKILL
    assert dev.servers_in(data)
    with dev.running(data) as again:  # and now its servers with it
        assert again.credentials() == first.credentials()
        assert again.token("globex").status_code == 200
        for process in dev.servers_in(data):
            process.kill()
        again.stop(signal.SIGKILL)
    with dev.running(data) as server:
        assert server.credentials() == first.credentials()
        assert server.token("globex").status_code == 200
        _interrupt_until_it_ends(server)
    assert not dev.servers_in(data)


def _interrupt_until_it_ends(server: dev.Dev) -> None:
    deadline = time.monotonic() + 60
    while server.process.poll() is None:
        os.killpg(server.process.pid, signal.SIGINT)
        time.sleep(0.01)
        assert time.monotonic() < deadline


def test_makes_anew_what_a_killed_start_did_not_save(data: Path) -> None:
    path = data / "demo.json"
    assert path.stat().st_mode & 0o777 == 0o600
    memory = json.loads(path.read_text())
    acme, globex = memory["tenants"]["acme"], memory["tenants"]["globex"]
    acme["client_secret"] = globex["client_id"] = globex["client_secret"] = globex["owner_password"] = ""
    path.write_text(json.dumps(memory))
    with dev.running(data) as server:
        made, other = server.document["tenants"]
        assert all(other.values())
        assert made["owner_password"] == acme["owner_password"]
        assert server.token("acme").status_code == server.token("globex").status_code == 200


def test_a_script_may_start_it_in_the_background_use_its_servers_and_interrupt_it(data: Path) -> None:
    here = {"SAAS_DATA": str(data)}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what it starts with `&`
    try:
        with dev.running(data) as server:
            listed = json.loads(dev.saas("tenants", "list", "--json", extra=here).stdout)
            issuers = {tenant["issuer"] for tenant in server.document["tenants"]}
            assert {tenant["issuer"] for tenant in listed} >= issuers
            assert server.token("acme").status_code == 200
            assert server.stop(signal.SIGINT) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert not dev.servers_in(data)
    alone = json.loads(dev.saas("tenants", "list", "--json", extra=here).stdout)
    assert alone == listed
    assert not dev.servers_in(data)


async def test_uses_the_servers_that_are_named(
    tmp_path: Path, empty_database: Database, environment: dict[str, str]
) -> None:
    url = empty_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    named = {"SAAS_DATABASE_URL": url, "SAAS_REDIS_URL": environment["SAAS_REDIS_URL"]}
    with dev.running(tmp_path, extra=named) as server:
        assert server.token("acme").status_code == 200
    assert set(os.listdir(tmp_path)) == {"demo.json", "master.key", "start.lock", "users.lock"}
