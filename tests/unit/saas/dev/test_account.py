"""What root grants to the servers' account, and no more."""

import os
import stat
from pathlib import Path

import pytest

from saas.dev.account import Account, account_for

_OTHER = Account(uid=54_321, gid=54_321)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_lets_the_account_pass_but_not_list(tmp_path: Path) -> None:
    closed, inner = tmp_path / "closed", tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    closed.chmod(0o700)
    inner.chmod(0o750)
    _OTHER.let_pass(inner)
    assert (_mode(closed), _mode(inner)) == (0o701, 0o751)


def test_leaves_folders_alone_that_the_account_may_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o751)
    _OTHER.let_pass(tmp_path)
    assert _mode(tmp_path) == 0o751


def test_changes_nothing_for_oneself(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "program").write_text("")
    (tmp_path / "program").chmod(0o700)
    Account().let_pass(tmp_path)
    Account().let_read([tmp_path])
    assert (_mode(tmp_path), _mode(tmp_path / "program")) == (0o700, 0o700)
    assert Account().may_run(tmp_path / "program")


def test_lets_the_account_read_what_a_strict_umask_installed(tmp_path: Path) -> None:
    program, data = tmp_path / "bin" / "program", tmp_path / "share" / "data"
    for path, mode in ((program, 0o700), (data, 0o600)):
        path.parent.mkdir(mode=0o700)
        path.write_text("")
        path.chmod(mode)
    assert not _OTHER.may_run(program)
    _OTHER.let_read([tmp_path])
    assert _OTHER.may_run(program)
    assert (_mode(program), _mode(data), _mode(data.parent)) == (0o705, 0o604, 0o705)


def test_an_ordinary_user_runs_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert account_for(tmp_path / "postgres") == Account()
