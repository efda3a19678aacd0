"""What requests hold."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """A body in which a member that nobody knows is refused: it may be one that was mistyped."""

    model_config = ConfigDict(extra="forbid")
