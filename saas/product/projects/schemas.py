"""The documents of the API: what comes in, with its limits, and what goes out."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from saas.web.text import Line, Lines

Name = Annotated[Line, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Description = Annotated[Lines, StringConstraints(max_length=5000)]
Status = Literal["active", "archived"]
Sort = Literal["created_at", "-created_at", "name", "-name"]


class NewProject(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    description: Description = ""
    status: Status = "active"


class ProjectChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    # The factories make the fields optional without making null a value; what they return is never looked at.
    name: Name = Field(default_factory=str)
    description: Description = Field(default_factory=str)
    status: Status = Field(default_factory=lambda: "active")


class Project(BaseModel):
    id: UUID
    name: str
    description: str
    status: Status
    created_by: str = Field(description="Who made it: the subject of the access token")
    created_at: datetime
    updated_at: datetime
