"""What needs the word of another person, where a workspace wants it."""

from rowlift.core.errors import GuardStop
from rowlift.operations.home import Home

LIFTING = "Removals would go past a guard."


def refuse_alone(home: Home, what: str) -> None:
    """Raise GuardStop APPROVAL_NEEDED where one person alone may not do a thing."""
    if home.project.workspace.approval == "another":
        raise approval_needed(what)


def approval_needed(what: str) -> GuardStop:
    """Return the refusal of what nobody else has approved."""
    return GuardStop(
        "APPROVAL_NEEDED",
        f"{what} This workspace wants the word of another person.",
        mend="Make a plan in the service, and let another person approve it there.",
    )
