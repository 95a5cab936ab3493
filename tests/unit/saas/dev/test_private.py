"""Secrets in the data folder."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from saas.dev import DevError, master_key
from saas.dev.demo import Credentials, Memory
from saas.dev.private import write_private
from saas.settings import decode_key


def test_makes_a_master_key_once(tmp_path: Path) -> None:
    key = master_key(tmp_path)
    decode_key(SecretStr(key))
    assert master_key(tmp_path) == key
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600


def test_makes_no_key_where_none_is_asked_for(tmp_path: Path) -> None:
    assert master_key(tmp_path, create=False) == ""
    assert list(tmp_path.iterdir()) == []


def test_of_two_who_make_a_key_the_first_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, "first", replace=False)
    write_private(path, "second", replace=False)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_says_where_a_key_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(DevError, match=r"Cannot use .*master\.key"):
        master_key(tmp_path / "nowhere")


def test_remembers(tmp_path: Path) -> None:
    memory = Memory("http://localhost:8000", {"acme": Credentials("app_1", "secret", "a@acme.example", "password")})
    memory.save(tmp_path)
    assert Memory.load(tmp_path) == memory
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"public_url": "x"}', '{"public_url": "", "tenants": {"a": {"b": 1}}}']
)
def test_what_cannot_be_read_is_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "demo.json").write_text(text)
    assert Memory.load(tmp_path) == Memory()
