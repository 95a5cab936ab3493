"""What can go wrong with people and their passwords."""

from saas.web.problems import Conflict, InvalidRequest, NotFound


class InvalidEmail(InvalidRequest):
    code = "invalid-email"
    title = "Invalid e-mail address"


class EmailTaken(Conflict):
    code = "email-taken"
    title = "E-mail address taken"


class UserNotFound(NotFound):
    code = "unknown-user"
    title = "Unknown user"
