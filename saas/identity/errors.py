"""What can go wrong with people and their passwords."""

from saas.web.problems import Conflict, InvalidRequest, NotFound, Problem


class InvalidEmail(InvalidRequest):
    code = "invalid-email"
    title = "Invalid e-mail address"


class EmailTaken(Conflict):
    code = "email-taken"
    title = "E-mail address taken"


class UserNotFound(NotFound):
    code = "unknown-user"
    title = "Unknown user"


class SessionNotFound(NotFound):
    code = "unknown-session"
    title = "Unknown session"


class InvalidPersonName(InvalidRequest):
    code = "invalid-name"
    title = "Invalid name"


class WeakPassword(InvalidRequest):
    """`detail` says in words for the person who chose it what is wrong."""

    code = "weak-password"
    title = "Password not accepted"


class BeyondAuthority(Problem):
    """Somebody would give, change or take rights that they do not hold themselves."""

    status = 403
    code = "beyond-your-rights"
    title = "More than your own rights"


class OwnAccount(Conflict):
    code = "own-account"
    title = "Your own account"


class NotInvited(Conflict):
    code = "no-open-invitation"
    title = "No open invitation"


class NoMail(Conflict):
    code = "no-mail"
    title = "No mail can be sent"


class LastOwner(Conflict):
    code = "last-owner"
    title = "Last owner"


class UnknownRole(InvalidRequest):
    code = "unknown-role"
    title = "Unknown role"


class RoleNotFound(NotFound):
    code = "unknown-role"
    title = "Unknown role"


class InvalidRole(InvalidRequest):
    code = "invalid-role"
    title = "Invalid role"


class RoleTaken(Conflict):
    code = "role-taken"
    title = "Role taken"


class RoleInUse(Conflict):
    code = "role-in-use"
    title = "Role in use"


class InvalidPolicy(InvalidRequest):
    code = "invalid-policy"
    title = "Invalid sign-in policy"


class EmailDomainNotAllowed(InvalidRequest):
    code = "email-domain-not-allowed"
    title = "E-mail domain not allowed"


class PasskeyRefused(InvalidRequest):
    """`detail` says in words for its owner what is wrong."""

    code = "passkey-refused"
    title = "Passkey not accepted"


class FactorRequired(Conflict):
    code = "factor-required"
    title = "Second factor required"


class TooManyAttempts(Problem):
    """Also where nobody can tell how many there were. `retry_after` in seconds."""

    status = 429
    code = "too-many-attempts"
    title = "Too many attempts"

    def __init__(self, retry_after: int) -> None:
        minutes = -(-retry_after // 60)
        wait = f"{minutes} minutes" if minutes > 1 else "a minute"
        super().__init__(
            f"There were too many attempts. Try again in {wait}.", headers={"Retry-After": str(retry_after)}
        )
        self.retry_after = retry_after
