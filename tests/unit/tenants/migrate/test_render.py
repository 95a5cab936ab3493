from pathlib import Path

import pytest

from tenants.errors import InvalidRevision
from tenants.migrate.render import PLATFORM, TENANT, Scripts


def write(folder: Path, revision: str, down: str | None, upgrade: str = "op.execute('SELECT 1')") -> None:
    """A revision whose upgrade is one line."""
    (folder / "versions").mkdir(exist_ok=True)
    (folder / "versions" / f"{revision}.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = {revision!r}\ndown_revision = {down!r}\ndef upgrade():\n    {upgrade}\n"
    )


def test_steps_go_from_the_first_to_the_head(tmp_path: Path) -> None:
    write(tmp_path, "0002", "0001", "op.execute('SELECT 2'); op.execute('SELECT 3')")
    write(tmp_path, "0001", None)
    write(tmp_path, "0003", "0002")
    scripts = Scripts(tmp_path)
    assert [step.revision for step in scripts.steps] == ["0001", "0002", "0003"]
    assert scripts.steps[1].statements == ("SELECT 2;", "SELECT 3;")
    assert scripts.head == "0003"
    assert scripts.older == {"0001", "0002"}
    assert [step.revision for step in scripts.after("0001")] == ["0002", "0003"]
    assert scripts.after(None) == scripts.steps
    assert scripts.after("0003") == ()
    with pytest.raises(InvalidRevision, match="deploy a newer"):
        scripts.after("0004")


def test_values_are_written_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        "0001",
        None,
        'op.bulk_insert(sa.table("t", sa.column("a", sa.Text())), [{"a": "it\'s 100%:x \\\\d"}])',
    )
    assert Scripts(tmp_path).steps[0].statements == ("INSERT INTO t (a) VALUES ('it''s 100%:x \\d');",)


@pytest.mark.parametrize(
    ("upgrade", "says"),
    [
        ("op.get_bind().execute(sa.text('SELECT 1')).scalar()", "cannot be rendered"),
        ("op.execute('COMMIT')", "transaction"),
        ("op.execute('  begin')", "transaction"),
        ("raise ValueError('no')", "no"),
    ],
)
def test_what_cannot_be_one_transaction_of_sql_is_refused(tmp_path: Path, upgrade: str, says: str) -> None:
    write(tmp_path, "0001", None, upgrade)
    with pytest.raises(InvalidRevision, match=says):
        _ = Scripts(tmp_path).steps


def test_branches_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "0001", None)
    write(tmp_path, "0002", "0001")
    write(tmp_path, "0003", "0001")
    with pytest.raises(InvalidRevision, match="one after the other"):
        _ = Scripts(tmp_path).steps


def test_names_of_revisions_are_plain(tmp_path: Path) -> None:
    write(tmp_path, "0001; DROP", None)
    with pytest.raises(InvalidRevision, match="name"):
        _ = Scripts(tmp_path).steps


def test_both_trees_are_rendered() -> None:
    assert PLATFORM.head
    assert all(step.statements for step in (*PLATFORM.steps, *TENANT.steps))
    assert not any("platform." in statement for step in TENANT.steps for statement in step.statements)
