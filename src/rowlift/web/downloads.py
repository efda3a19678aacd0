"""Whole lists as files: streamed as they are read, under a name that no data is part of."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import Path
from starlette.responses import StreamingResponse

from rowlift.operations.exporting import Form

MEDIA_TYPES: Mapping[Form, str] = {"csv": "text/csv", "jsonl": "application/jsonl"}

FormPart = Annotated[
    Form, Path(description="csv, in which no cell is a formula, or jsonl: an object a line.")
]


def described(*forms: Form) -> Mapping[int | str, dict[str, Any]]:
    """Return what the API's description says of a download in some forms."""
    content = {MEDIA_TYPES[form]: {"schema": {"type": "string"}} for form in forms}
    return {200: {"description": "The file.", "content": content}}


def download(lines: Iterator[str], stem: str, form: Form) -> StreamingResponse:
    """Answer with a file that a browser saves and never shows."""
    headers = {"Content-Disposition": f'attachment; filename="{stem}.{form}"'}
    return StreamingResponse(lines, headers=headers, media_type=MEDIA_TYPES[form])
