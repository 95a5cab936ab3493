"""What the tree promises to its readers."""

import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP_LEVEL = {
    "saas",
    "migrations",
    "tenants",
    "tests",
    "infra",
    "pyproject.toml",
    "alembic.ini",
    "README.md",
    "constraints.txt",
    "LICENSE",
}
MAX_LINES = 500
MEDIAN_LINES = 90


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listed.split("\0") if name]


def lines_of(path: Path) -> int:
    return len((ROOT / path).read_text().splitlines())


def test_the_top_level_holds_only_what_the_design_names() -> None:
    extra = {path.parts[0] for path in tracked() if not path.parts[0].startswith(".")} - TOP_LEVEL
    assert extra == set()


def test_files_are_of_a_size_that_one_can_read() -> None:
    sizes = {path: lines_of(path) for path in tracked() if path.suffix == ".py" and (ROOT / path).exists()}
    assert {str(path): size for path, size in sizes.items() if size > MAX_LINES} == {}
    product = [size for path, size in sizes.items() if path.parts[0] in {"saas", "tenants"} and size > 1]
    assert statistics.median(product) <= MEDIAN_LINES


def test_lock_file_pins_every_package_and_names_no_address() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert "==" in line, f"{line} is not pinned exactly"
        assert "://" not in line
        assert "@" not in line
