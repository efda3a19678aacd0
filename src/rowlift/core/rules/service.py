"""Rules on schedules and the service."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule(
        "TOO_MANY_DRAFTS",
        "state",
        "There are as many drafts of yours as are kept",
        "Start or drop some of them: they are listed with the syncs.",
    ),
    Rule(
        "WRITE_BACK_FAILED",
        "run",
        "The logs could not be written to their warehouse",
        "Check its address, login and rights, then run again: it goes on where it stopped.",
    ),
    Rule(
        "NOTHING_LEFT",
        "run",
        "Nothing is left of the run that could be tried again, or undone",
        "Nothing to do: another run applied or changed the rows, or they are too old to be kept.",
    ),
    Rule(
        "KEY_REUSED",
        "run",
        "Another request had the same key within a day",
        "Make a new key for each request, and keep it when the same is sent again.",
    ),
    Rule(
        "REQUEST_UNDER_WAY",
        "run",
        "A request of the same key is under way, or was cut off",
        "Ask again in a moment. If it stays so, look at what began, and use a new key.",
    ),
    Rule(
        "SLOT_WAITS",
        "run",
        "An earlier slot of the sync still waits for its turn",
        "Let it run less often, or give it a start of its own.",
    ),
    Rule(
        "SLOTS_MISSED",
        "run",
        "Slots passed while no service ran, or the clock was put forward",
        "Keep rowlift serve running; the newest slot is caught up.",
    ),
    Rule(
        "SCHEDULE_GONE",
        "run",
        "The sync lost its schedule while a slot waited",
        "Nothing to do, or give it one again.",
    ),
    Rule(
        "SERVICE_RUNNING",
        "run",
        "Another process serves this workspace",
        "Stop that one first, or leave it the work.",
    ),
    Rule(
        "WORKSPACE_CHANGED",
        "file",
        "The files name another workspace than the one that is served",
        "Name that one again, or stop the service and start it again.",
    ),
    Rule(
        "DRAIN_LATE",
        "run",
        "Work did not end in time when the service was asked to end",
        "Nothing is lost: the next start goes on with it.",
    ),
    Rule(
        "LATE",
        "run",
        "What a sync brought, or an audience, is older than was promised",
        "See rowlift status NAME: run it more often, or mend what keeps it from arriving.",
    ),
    Rule(
        "CHANNEL_FAILED",
        "destination",
        "A channel did not take a message",
        "Mend its settings, then: rowlift alerts test NAME",
    ),
    Rule(
        "SEGMENT_COMPUTED",
        "run",
        "Who is in the segment is computed, as it is an audience",
        "Change its conditions, or an attribute that they ask for.",
    ),
    Rule("SERVICE_DOWN", "run", "No service runs", "Start it: rowlift serve"),
)
