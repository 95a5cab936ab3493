"""The names of databases and the weights that they have, as operators write them."""

import re
from collections.abc import Mapping
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_MAX_WEIGHT: Final = 1_000_000


def named_urls(variables: Mapping[str, str]) -> dict[str, str]:
    """URLs by name, from what ends the variables: `_EU`, since the delimiter is one underscore. Raises ValueError."""
    named = {key.removeprefix("_").lower(): url for key, url in variables.items()}
    for name, url in named.items():
        if not _NAME.fullmatch(name) or name == "default":
            raise ValueError("write it like SAAS_DATABASES__EU; the one of SAAS_DATABASE_URL is the default")
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError(f"SAAS_DATABASES__{name.upper()} is not a postgresql:// URL")
    return named


def parse_weights(value: str) -> dict[str, int]:
    """`default:1,eu:3` as numbers by name. Raises ValueError."""
    pairs = [part.partition(":") for part in value.split(",") if part.strip()]
    weights = {name.strip().lower(): weight.strip() for name, _, weight in pairs}
    if not all(weight.isdecimal() and int(weight) <= _MAX_WEIGHT for weight in weights.values()):
        raise ValueError(f"write it like default:1,eu:3; a weight is 0 to {_MAX_WEIGHT}")
    return {name: int(weight) for name, weight in weights.items()}
