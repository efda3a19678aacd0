"""Arrow batches from a child process, for readers that may crash or grow without bound.

The child (see `arrowteller`) writes each batch to a spool file without a name and tells its sizes
through a pipe, so that neither process holds the result in memory however slowly it is used, and
nothing is left behind when either is killed. Only a child that said `end` has given everything.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import IO, Any, cast

import pyarrow as pa

from rowlift.kit.arrowteller import END

CODEC = pa.Codec("lz4")
ENVIRONMENT = ("LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SSL_CERT_DIR", "SSL_CERT_FILE")


class ChildFailed(Exception):
    """The child ended before it had given everything; the text is its last words."""


class ArrowChild:
    """A child running `python -m module`, which ends by calling `tell`.

    It loads its driver as soon as there is one, and waits to be asked. `environment` adds variables
    that its driver heeds.
    """

    def __init__(self, module: str, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self._spool = tempfile.TemporaryFile(prefix="rowlift-")  # noqa: SIM115 - until close
        self._words = tempfile.TemporaryFile(prefix="rowlift-")  # noqa: SIM115 - until close
        self._child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", module, str(self._spool.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            pass_fds=[self._spool.fileno()],
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
            | dict(environment),
            start_new_session=True,  # Ctrl-C is for the parent, which stops the child
        )
        files = (self._input, self._output, self._spool, self._words)
        self._end = weakref.finalize(self, _end, self._child, files)

    def ask(self, request: Mapping[str, object]) -> None:
        """Tell it, once, what to do: secrets are in neither its arguments nor its environment."""
        # A child that died at once is found by batches().
        with contextlib.suppress(BrokenPipeError), self._input as pipe:
            pipe.write(json.dumps(request).encode())

    def heard(self) -> Any:
        """Return the next thing that the child said; raises ChildFailed when it has ended."""
        line = self._output.readline()
        if not line.endswith(b"\n"):
            raise self._failed()
        return json.loads(line)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield what the child told of; raises ChildFailed when it ended early."""
        schema: pa.Schema | None = None
        offset = 0
        for line in self._output:
            if line.strip() == END.encode():
                return
            stored, size = map(int, line.split())
            message = pa.py_buffer(os.pread(self._spool.fileno(), stored, offset))
            offset += stored
            if stored < size:
                message = CODEC.decompress(message, size)
            if schema is None:
                schema = pa.ipc.read_schema(message)
            else:
                yield pa.ipc.read_record_batch(message, schema)
        raise self._failed()

    def kill(self) -> None:
        """End the child; whoever reads its batches finds it failed."""
        self._child.kill()

    def close(self) -> None:
        """Kill the child if it still runs; its spool file goes with it.

        A child that nobody holds any more is closed by itself.
        """
        self._end()

    @property
    def _input(self) -> IO[bytes]:
        return cast("IO[bytes]", self._child.stdin)

    @property
    def _output(self) -> IO[bytes]:
        return cast("IO[bytes]", self._child.stdout)

    def _failed(self) -> ChildFailed:
        self._child.wait()
        self._words.seek(0)
        return ChildFailed(self._words.read(4000).decode(errors="replace"))


def _end(child: subprocess.Popen[bytes], files: Iterable[IO[bytes]]) -> None:
    child.kill()
    child.wait()
    for file in files:
        file.close()
