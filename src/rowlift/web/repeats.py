"""Idempotency-Key: a request that is sent again, as its answer was lost, begins nothing again."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import TypeAdapter

from rowlift.web.rights import Asking, Ours

Report = TypeVar("Report")

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Any text, another one for each request. The same request under the same key "
        "begins nothing more within a day and gets the same answer.",
        examples=["5d2f6a1e-8c37-4b6e-9f0a-1b7c2d3e4f50"],
    ),
]


async def told(request: Request) -> str:
    """Return all that tells one request from another: method, address and body."""
    body = await request.body()
    return f"{request.method} {request.url.path}?{request.url.query}\n{body.hex()}"


class Repeatable:
    """Does what a request asks for, once for each key of its caller."""

    def __init__(
        self,
        response: Response,
        project: Ours,
        caller: Asking,
        request: Annotated[str, Depends(told)],
        key: Key = None,
    ) -> None:
        self._response = response
        self._project = project
        self._caller = caller
        self._request = request
        self._key = key

    def __call__(self, kind: type[Report], do: Callable[[], Report]) -> Report:
        """Return the report of what was done, now or when the request came before."""
        if self._key is None:
            return do()
        form = TypeAdapter(kind)
        answered = self._project.repeats.once(
            self._caller, self._key, self._request, lambda: form.dump_json(do()).decode()
        )
        self._response.headers["Idempotency-Replayed"] = str(answered.again).lower()
        return form.validate_json(answered.text)


Once = Annotated[Repeatable, Depends()]
