"""forwards/NAME.yml as people write it: which events go on, where to, with which traits."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rowlift.core.specs import EventType, ForwardSpec
from rowlift.project.models import Column, Description, FileModel, Name


def _distinct(traits: dict[str, str]) -> dict[str, str]:
    if len({*traits.values()}) < len(traits):
        raise ValueError("has two traits that get the same name")
    return traits


class ForwardFile(FileModel):
    """forwards/NAME.yml: events that messages told of, on their way to one destination."""

    forward: Name = Field(description="The forward's name.")
    description: Description = Field("", description="What the forward is for.")
    renamed_from: Name | None = Field(
        None, description="The forward's former name; it goes on where that one stopped."
    )
    destination: Name = Field(description="The destination's name in connections.yml.")
    types: list[EventType] = Field(
        ["track", "page", "screen"], description="The types of the events that go.", min_length=1
    )
    names: list[str] = Field(
        default_factory=list,
        max_length=1000,
        description="The events that go, by their names; [] is all. A page or screen is named "
        "by its category and name, with a space between.",
    )
    traits: Annotated[dict[Column, Column], AfterValidator(_distinct)] = Field(
        default_factory=dict,
        description="Traits of the person that go along: the trait, then its name there.",
    )
    match: list[Literal["user_id", "email", "anonymous_id"]] = Field(
        ["user_id", "anonymous_id"],
        description="What names the person there: the first of these that they have. Events of "
        "people who have none of them are skipped.",
        min_length=1,
    )
    start: Literal["now", "beginning"] = Field(
        "now",
        description="Whether a new forward begins with the events that come from now on, or with "
        "the oldest that is kept.",
    )

    def spec(self) -> ForwardSpec:
        """Return what the file declares."""
        return ForwardSpec(
            name=self.forward,
            destination=self.destination,
            match=tuple(dict.fromkeys(self.match)),
            types=tuple(dict.fromkeys(self.types)),
            names=tuple(dict.fromkeys(self.names)),
            traits=dict(self.traits),
            start=self.start,
            description=self.description,
            renamed_from=self.renamed_from,
        )
