"""Every command in the order of --help; the module of a command is imported when it runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One command; `rowlift.cli.<module>` holds its function `command`."""

    name: str
    panel: str
    summary: str

    @property
    def module(self) -> str:
        return f"rowlift.cli.{self.name}"


COMMANDS = (
    Entry("demo", "Start", "Try everything on a sample warehouse; needs no account."),
    Entry("init", "Start", "Create a project: rowlift.yml, connections.yml, a model and a sync."),
    Entry("debug", "Start", "Test every connection: network, login, read-only rights, privileges."),
    Entry("check", "Build", "Validate every file without touching the network."),
    Entry("preview", "Build", "Show the first rows with ✓ known or ? unknown, then every rule."),
    Entry("catalog", "Build", "List the tables of a source, or the columns of some."),
    Entry("templates", "Build", "List queries to begin with, or print one for a source."),
    Entry("plan", "Build", "Write down exactly what a run would do; change nothing."),
    Entry("apply", "Build", "Take the files into the state, and say first what that changes."),
    Entry("export", "Build", "Write every definition as the files of a project."),
    Entry("versions", "Build", "List what a sync was, show a change, or go back to a version."),
    Entry("ls", "Build", "List syncs with their sources, destinations and last runs."),
    Entry("status", "Run", "Say how fresh everything is, what is wrong, and who is told."),
    Entry("alerts", "Run", "List what is wrong and who is told, or test a channel."),
    Entry("run", "Run", "Run syncs now and wait for their deliveries."),
    Entry("serve", "Run", "Run syncs by their schedules, until it is ended."),
    Entry("trigger", "Run", "Ask the service to run syncs next."),
    Entry("cancel", "Run", "End a run and its deliveries before their time."),
    Entry("pause", "Run", "Let no run of a sync begin."),
    Entry("resume", "Run", "Let a paused sync run again."),
    Entry("retry", "Run", "Try again what a run left, without its query."),
    Entry("undo", "Run", "Take back what a run did, after showing what that is."),
    Entry("verify", "Run", "Read back what a destination holds, and say what differs."),
    Entry("runs", "Run", "List runs, show one, or print its rejected rows."),
    Entry("people", "People", "List people, show one with every attribute's origin, or export."),
    Entry("objects", "People", "List objects, or show one with the people it is related to."),
    Entry("segments", "People", "List segments, make, show, fill, or export one."),
    Entry("audiences", "People", "List audiences, compute, try, or compare them."),
    Entry("keys", "People", "List write keys, make or revoke one: SDKs send people with them."),
    Entry("messages", "People", "List refused messages, what a person did, or how forwards stand."),
    Entry("forward", "People", "Send events on to destinations, with traits of their people."),
    Entry("why", "People", "Say why a person has a value, and why it was not sent."),
    Entry("find", "People", "Find somebody across all runs, also where rows did not go."),
    Entry("suppress", "People", "Never process some people again, or lift that."),
    Entry("users", "More", "List who works here, add or invite somebody, change a role."),
    Entry("state", "More", "Show what a sync remembers, make it forget, or prune what is old."),
    Entry("audit", "More", "List who did what, or prove that no line was changed."),
    Entry("backup", "More", "Write everything that is remembered into one file."),
    Entry("restore", "More", "Put a backup in the place of what is remembered."),
    Entry("schema", "More", "Print the JSON Schema of a file or of a command's output."),
)
