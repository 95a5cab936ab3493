from saas.web.problems import Conflict, InvalidRequest


class KeyInUse(Conflict):
    code = "idempotency-key-in-use"
    title = "Still at work"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is being worked on: send it again in a moment",
            headers={"Retry-After": "1"},
        )


class KeyReused(InvalidRequest):
    code = "idempotency-key-reused"
    title = "Another request had this key"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was sent with another request: choose a new one for each")


class AnswerLost(Conflict):
    """It was sealed under a master key that is gone, or at another place."""

    code = "idempotent-answer-lost"
    title = "Done before"

    def __init__(self) -> None:
        super().__init__("This was done, but the answer cannot be read any more: look at what is there now")
