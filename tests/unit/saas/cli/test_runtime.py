"""What stands between a command and its work: settings, keys, signals, errors."""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
import uvicorn

from saas.cli.environment import load_settings, servers, with_mailbox
from saas.cli.listening import Server
from saas.cli.runtime import errors_as_lines, run, stopped_by_signals
from saas.dev import master_key
from saas.dev.demo import Memory
from saas.settings import Settings

NAMED = {"SAAS_DATABASE_URL": "postgresql://db/x", "SAAS_REDIS_URL": "redis://cache"}
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@contextmanager
def ends_with(code: int, capsys: pytest.CaptureFixture[str], *words: str) -> Iterator[None]:
    with pytest.raises(typer.Exit) as ended:
        yield
    assert ended.value.exit_code == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Error: ")
    assert printed.err.count("\n") == 1
    for word in words:
        assert word in printed.err


@pytest.fixture
def set_env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without settings of ours, but for the data folder."""
    for name in list(os.environ):
        if name.startswith("SAAS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SAAS_DATA", str(tmp_path))
    return monkeypatch


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SAAS_SERVER_PORT", "many", "valid integer"),
        ("SAAS_SECRETS_MASTER_KEY", "hunter2!", "make a key with `openssl rand -base64 32`"),
        ("SAAS_PUBLIC_URL", "example.com", "write it like https://example.com"),
        ("SAAS_DATABASE_ULR", "postgresql://", "is not a setting"),
        ("SAAS_DATABASE", "postgresql://", "the README lists the settings"),
    ],
)
def test_a_wrong_setting_is_named_and_not_shown(
    set_env: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str, words: str
) -> None:
    set_env.setenv(variable, value)
    named = variable if variable != "SAAS_DATABASE" else "database"
    with ends_with(1, capsys, named, words):
        load_settings()


def test_named_servers_need_the_key_of_their_database(
    set_env: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in NAMED.items():
        set_env.setenv(name, value)
    with ends_with(1, capsys, "SAAS_SECRETS_MASTER_KEY is not set"), servers(load_settings()):
        pass
    assert not list(tmp_path.iterdir())
    key = master_key(tmp_path)
    with servers(load_settings()) as settings:
        assert settings.secrets.master_key.get_secret_value() == key
    set_env.setenv("SAAS_SECRETS_MASTER_KEY", KEY)
    with servers(load_settings()) as settings:
        assert settings.secrets.master_key.get_secret_value() == KEY
        assert settings.database.url == NAMED["SAAS_DATABASE_URL"]


def test_tenants_of_an_embedded_database_are_where_saas_dev_serves_them(
    set_env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_env.setenv("SAAS_REDIS_URL", NAMED["SAAS_REDIS_URL"])
    Memory(public_url="http://localhost:4711").save(tmp_path)
    chosen: list[Settings] = []
    with servers(load_settings()) as settings:
        chosen.append(settings)
    set_env.setenv("SAAS_PUBLIC_URL", "http://localhost:4712")
    with servers(load_settings()) as settings:
        chosen.append(settings)
    assert [settings.public.url for settings in chosen] == ["http://localhost:4711", "http://localhost:4712"]
    assert all(settings.redis.url == NAMED["SAAS_REDIS_URL"] for settings in chosen)
    assert all(str(tmp_path / "run") in settings.database.url for settings in chosen)


@pytest.mark.parametrize(
    ("variables", "mailbox"),
    [
        ({}, True),
        ({"SAAS_MAIL_MAILBOX": "false"}, False),
        ({"SAAS_MAIL_URL": "smtp://mail.example.com", "SAAS_MAIL_SENDER": "no-reply@example.com"}, False),
        ({"SAAS_PUBLIC_URL": "https://example.com"}, False),
    ],
)
def test_mail_goes_to_the_mailbox_where_nothing_else_is_said(
    set_env: pytest.MonkeyPatch, variables: dict[str, str], mailbox: bool
) -> None:
    for name, value in variables.items():
        set_env.setenv(name, value)
    assert with_mailbox(load_settings()).mail.mailbox is mailbox


@pytest.mark.usefixtures("terminal_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_unwind_the_stack(capsys: pytest.CaptureFixture[str], number: signal.Signals) -> None:
    unwound = False
    with ends_with(130, capsys, "run the command again"), stopped_by_signals(), errors_as_lines():
        try:
            signal.raise_signal(number)
        finally:
            unwound = True
    assert unwound
    assert signal.getsignal(number) is signal.SIG_DFL


def test_leaves_a_signal_alone_that_is_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with stopped_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_garbage_is_collected_from_the_moment_a_server_answers() -> None:
    """`saas.cli.main` switches that off for the time of the imports."""

    async def nothing(_scope: object, _receive: object, _send: object) -> None:
        """Never called."""

    seen: list[bool] = []
    server = Server(
        uvicorn.Config(nothing, port=0, lifespan="off", log_config=None), lambda: seen.append(gc.isenabled())
    )
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    gc.disable()
    try:
        await server.startup()
        await server.shutdown()
    finally:
        gc.enable()
        gc.unfreeze()
    assert seen == [True]


def test_garbage_is_collected_while_a_command_works(set_env: pytest.MonkeyPatch) -> None:
    for name, value in {**NAMED, "SAAS_SECRETS_MASTER_KEY": KEY}.items():
        set_env.setenv(name, value)

    async def work(_services: object) -> bool:
        return gc.isenabled()

    gc.disable()
    try:
        assert run(work)
    finally:
        gc.enable()
        gc.unfreeze()
