"""What travels when a tenant is exported, and where the secrets are that have to be sealed anew for who takes it in.

A column whose values `saas.kit.crypto.Sealer` seals has `info={"sealed": True}`, and its place is named here: either in
`SEALED`, with what it is bound to, or, where nobody will miss its values, in `CLEARED`.

What is under way stays behind: browser sessions, codes that were just given out, links in mails, logouts to be told. An
archive may be imported days later, and must not sign in anybody who has signed out since. Refresh tokens travel, so
that apps stay connected when a tenant comes back under its own address; under another one it is another issuer, and
they do not arrive. Passwords (hashed), second factors, consents, roles, the audit log and the product's rows travel.
"""

from typing import Final
from uuid import UUID

from saas.identity.factors import totp_context
from saas.keys.material import context_of
from saas.kit.crypto import Sealer
from tenants.transfer.portable import Portable, SealedColumn

SEALED: Final = (
    SealedColumn("signing_keys", "private_key", ("kid",), lambda tenant_id, row: context_of(tenant_id, row["kid"])),
    SealedColumn(
        "totp_factors", "secret", ("user_id",), lambda tenant_id, row: totp_context(tenant_id, UUID(row["user_id"]))
    ),
)
#: The answer to a refresh that was just made, for who did not get it: good for seconds.
CLEARED: Final = frozenset({("oauth_refresh_families", "answer")})
LEFT: Final = frozenset(
    {
        "kept_answers",
        "mailed_links",
        "oauth_codes",
        "oauth_device_codes",
        "oauth_logout_deliveries",
        "oauth_pushed_requests",
        "oauth_session_clients",
        "sessions",
        "spent_challenges",
    }
)
OF_ISSUER: Final = frozenset({"oauth_assertions", "oauth_refresh_families", "oauth_revocations"})


def portable(sealer: Sealer) -> Portable:
    return Portable(sealer, SEALED, left=LEFT, cleared=CLEARED, of_issuer=OF_ISSUER)
