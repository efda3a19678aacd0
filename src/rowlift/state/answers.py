"""Answers to requests that may come again under the same key; each is kept for a day."""

from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.db import Database
from rowlift.state.accounts_tables import answers
from rowlift.state.leases import database_now

KEPT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Answer:
    """A request by its hash, and its answer; None while it is under way, or if that was cut off."""

    request: str
    text: str | None


class AnswerStore:
    """Keeps what was answered."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def note(self, key: str, request: str) -> Answer | None:
        """Note that a request is under way; return instead what is known of its key already."""
        known = sa.select(answers.c.request, answers.c.answer).where(answers.c.key == key)
        with self._database.transaction("answer.begin") as connection:
            now = database_now(self._database, connection)
            old = answers.delete().where(answers.c.asked_at < now - KEPT_SECONDS)
            connection.execute(old)
            begun = self._database.insert(answers).values(
                key=key, workspace_id=self._workspace_id, request=request, asked_at=now
            )
            if connection.execute(begun.on_conflict_do_nothing()).rowcount == 1:
                return None
            return Answer(*connection.execute(known).one())

    def end(self, key: str, answer: str) -> None:
        """Keep the answer."""
        mine = answers.update().where(answers.c.key == key)
        with self._database.transaction("answer.end") as connection:
            connection.execute(mine.values(answer=answer))

    def forget(self, key: str) -> None:
        """Forget a request that began nothing."""
        with self._database.transaction("answer.forget") as connection:
            connection.execute(answers.delete().where(answers.c.key == key))
