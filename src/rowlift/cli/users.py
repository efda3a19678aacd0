"""rowlift users."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, moment, safe
from rowlift.core.errors import ConfigError, StateError
from rowlift.core.rights import Role
from rowlift.operations.accounts import Accounts
from rowlift.operations.callers import CONSOLE
from rowlift.state.users import User

USAGE = "rowlift users [list]; add, invite, role, password, disable, enable and EMAIL"

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="list; add, invite, role, password, disable or enable EMAIL.",
        metavar="[list|add|invite|role|password|disable|enable] [EMAIL]",
    ),
]
WantedRole = Annotated[
    Literal["viewer", "editor", "admin"], typer.Option(help="add, invite, role: what they may do.")
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="add, password: a file with it; else you are asked.", metavar="FILE"),
]


@_command
def command(
    terminal: Terminal,
    words: Words = None,
    role: WantedRole = "viewer",
    password_file: PasswordFile = None,
) -> int:
    """Viewers see settings, runs and counts; editors change what is synced; admins do everything.

    Whoever may use this machine's files is an admin here: no password is asked.

    Who is invited chooses a password within a week, under the path that is printed once. Invited
    again before that, they get a new one.
    """
    match words or ["list"]:
        case ["list"]:
            return _list(terminal)
        case ["invite", email]:
            return _invite(terminal, email, Role(role))
        case ["add" | "role" | "password" | "disable" | "enable" as change, email]:
            password = _password(password_file) if change in {"add", "password"} else ""
            return _change(terminal, change, email, Role(role), password)
    raise ConfigError("VALUE_WRONG", "users was asked for something else.", mend=USAGE)


def _list(terminal: Terminal) -> int:
    with terminal.project() as project:
        found = project.access.accounts.users()
    table = grid("user", "role", "since", "")
    for one in found:
        state = "" if one.disabled_at is None else f"disabled {moment(one.disabled_at)}"
        table.add_row(cell(one.email), one.role.value, moment(one.created_at), state)
    if found:
        terminal.show(table)
    else:
        terminal.say("No users yet. Make one: rowlift users add EMAIL --role admin")
    terminal.document("users", users=found)
    return exits.DONE


def _invite(terminal: Terminal, email: str, role: Role) -> int:
    with terminal.project() as project:
        made = project.access.accounts.invite(email, role, by=CONSOLE)
    terminal.say(f"✓ {safe(made.user.email)} is invited as {made.user.role.value}, until")
    terminal.say(f"  {moment(made.until)}. Send them the address of the web UI with this path:")
    terminal.say(f"/join?code={made.code}", style="bold")
    terminal.document("invitation", invitation=made)
    return exits.DONE


def _change(terminal: Terminal, change: str, email: str, role: Role, password: str) -> int:
    with terminal.project() as project:
        user = _changed(project.access.accounts, change, email, role, password)
    state = user.role.value if user.disabled_at is None else "disabled"
    terminal.say(f"✓ {safe(user.email)}: {state}")
    terminal.document("users", users=[user])
    return exits.DONE


def _changed(accounts: Accounts, change: str, email: str, role: Role, password: str) -> User:
    if change == "add":
        return accounts.create_user(email, role, password, by=CONSOLE)
    user_id = _user(accounts, email).id
    match change:
        case "role":
            return accounts.change_user(user_id, role=role, by=CONSOLE)
        case "password":
            return accounts.change_user(user_id, password=password, by=CONSOLE)
    return accounts.change_user(user_id, disabled=change == "disable", by=CONSOLE)


def _user(accounts: Accounts, email: str) -> User:
    for user in accounts.users():
        if user.email.casefold() == email.casefold():
            return user
    raise StateError("NOT_FOUND", f"There is no user {safe(email)}.", mend="See rowlift users.")


def _password(file: Path | None) -> str:
    """Return a password from a file, a terminal that hides it, or standard input."""
    if file is None and sys.stdin.isatty():
        asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return asked
    try:
        text = sys.stdin.readline() if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("FILE_UNREADABLE", f"{file} cannot be read.", mend="Name it.") from error
    return text.rstrip("\r\n")
