"""What the audit log answers with when something is wrong."""

from uuid import UUID

from saas.web.problems import NotFound


class EventNotFound(NotFound):
    code = "unknown-audit-event"
    title = "Unknown audit event"

    def __init__(self, event_id: UUID) -> None:
        super().__init__(f"There is no event {event_id}: it may have been past its time")
