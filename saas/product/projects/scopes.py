"""What a token may do with projects."""

from saas.access.scopes import Scope

READ = Scope("projects:read", "See the projects and their details", "Projects")
# Sensitive: deleting a project cannot be undone.
WRITE = Scope("projects:write", "Create, change and delete projects", "Projects", sensitive=True)
