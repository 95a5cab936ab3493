"""What `saas dev` remembers in its data folder: where it was reached, and the demo tenants' credentials."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from saas.dev.private import write_private

_NAME = "demo.json"


@dataclass(slots=True)
class Credentials:
    """Of one tenant; empty where they are not known yet."""

    client_id: str = ""
    client_secret: str = ""
    owner_email: str = ""
    owner_password: str = ""


@dataclass(slots=True)
class Memory:
    """`tenants` by slug. Changed freely; `save` writes all of it or nothing."""

    public_url: str = ""
    tenants: dict[str, Credentials] = field(default_factory=dict)

    @classmethod
    def load(cls, data: Path) -> "Memory":
        """Empty where nothing readable was saved: what is lost is made anew."""
        try:
            raw = json.loads((data / _NAME).read_text())
            return cls(raw["public_url"], {slug: Credentials(**saved) for slug, saved in raw["tenants"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def save(self, data: Path) -> None:
        write_private(data / _NAME, json.dumps(asdict(self), indent=2) + "\n")
