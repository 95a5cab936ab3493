"""Every secret that is sealed is known to who carries tenants, and every table that stays behind exists."""

from sqlalchemy import LargeBinary

from migrations.metadata import TENANT
from saas.onboarding.portable import CLEARED, LEFT, OF_ISSUER, SEALED

#: What is kept of a secret that only has to be recognised, or of no secret at all.
PLAIN = {
    ("audit_events", "hash"),
    ("audit_head", "hash"),
    ("audit_head", "pruned_hash"),
    ("kept_answers", "fingerprint"),
    ("mailed_links", "digest"),
    ("oauth_assertions", "digest"),
    ("oauth_client_secrets", "digest"),
    ("oauth_codes", "digest"),
    ("oauth_device_codes", "digest"),
    ("oauth_pushed_requests", "digest"),
    ("oauth_refresh_families", "digest"),
    ("oauth_refresh_families", "handle"),
    ("oauth_refresh_families", "previous_digest"),
    ("passkeys", "credential_id"),
    ("passkeys", "public_key"),
    ("recovery_codes", "digest"),
    ("sessions", "digest"),
    ("spent_challenges", "digest"),
}
BINARY = {
    (table.name, column.name): bool(column.info.get("sealed"))
    for table in TENANT.tables.values()
    for column in table.columns
    if isinstance(column.type, LargeBinary)
}


def test_binary_columns_say_whether_they_are_sealed() -> None:
    """What fails here is new: seal it and say `info={"sealed": True}`, or enter it above."""
    assert {place for place, sealed in BINARY.items() if not sealed} == PLAIN


def test_every_sealed_column_is_sealed_anew_or_stays_behind() -> None:
    """One that were forgotten would arrive sealed under a key, and for a tenant, that are not there."""
    known = {(place.table, place.column) for place in SEALED} | CLEARED
    sealed = {place for place, is_sealed in BINARY.items() if is_sealed}
    assert {place for place in sealed if place[0] not in LEFT} == known


def test_what_a_place_depends_on_is_in_its_row() -> None:
    for place in SEALED:
        assert {place.column, *place.by} <= set(TENANT.tables[place.table].columns.keys())


def test_nothing_that_travels_refers_to_what_stays_behind() -> None:
    absent = LEFT | OF_ISSUER
    assert absent <= set(TENANT.tables)
    for table in TENANT.tables.values():
        for missing in (LEFT, absent):
            if table.name not in missing:
                assert {key.column.table.name for key in table.foreign_keys} & missing == set(), table.name
