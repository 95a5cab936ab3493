from uuid import UUID

from saas.web.problems import NotFound


class ProjectNotFound(NotFound):
    code = "unknown-project"
    title = "Unknown project"

    def __init__(self, project_id: UUID) -> None:
        super().__init__(f"There is no project {project_id}")
