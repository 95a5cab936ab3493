"""The README keeps up with the code."""

from pathlib import Path
from typing import get_origin

from pydantic import BaseModel

from saas.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text()


def variables() -> list[str]:
    """The name of every setting's environment variable."""
    names = []
    for group, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += [f"SAAS_{group}_{name}".upper() for name in kind.model_fields]
        elif get_origin(kind) is dict:
            names.append(f"SAAS_{group}__NAME".upper())
        else:
            names.append(f"SAAS_{group}".upper())
    return names


def test_every_setting_is_in_the_configuration_table() -> None:
    missing = [name for name in variables() if f"| `{name}` |" not in README]
    assert missing == []


def test_the_table_names_no_setting_that_does_not_exist() -> None:
    listed = [line.split("`")[1] for line in README.splitlines() if line.startswith("| `SAAS_")]
    assert sorted(listed) == sorted(set(listed)), "a setting is listed twice"
    assert set(listed) - set(variables()) == set()
