"""bqemulator as Google runs BigQuery: TLS, logins by signed JWT, jobs that take their time.

Run as a program in the emulator's own environment: bigquery_service.py SETTINGS, a JSON file.
"""

import asyncio
import json
import re
import sys
import threading
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import bqemulator.server
import grpc
import jwt
import uvicorn
from bqemulator.jobs.executor import JOB_RESULTS
from bqemulator.storage.engine import DuckDBEngine

App = Callable[..., Awaitable[None]]
Answer = tuple[int, Any]

SETTINGS = json.loads(Path(sys.argv[1]).read_text())
CERTIFICATE = (Path(SETTINGS["key_file"]).read_bytes(), Path(SETTINGS["cert_file"]).read_bytes())
PATIENCE = 0.2  # seconds that an answer waits for a quick job
JOBS = re.compile(r"/bigquery/v2/projects/([^/]+)/(jobs|queries)(?:/([^/]+))?(/cancel)?")
ANONYMOUS = re.compile(r'SELECT (.*) FROM "[^"]*"\."anon(\w+)"', re.DOTALL)
OF_DATASET = re.compile(r"/(running|forget)/(\w+)")
RIGHTS = re.compile(r"/tables/[^/]+:testIamPermissions$")
OF_PROJECT = re.compile(r"/bigquery/v2/projects/([^/]+)/")
TABLES = re.compile(r"/bigquery/v2/projects/[^/]+/datasets/(\w+)/tables")
CANNED = re.compile(r"\banswers\.(\w+)")
BILLED = re.compile(r"\bhuge\b")
HUGE = 5_000_000_000_000  # bytes that a query over a table called huge is said to read


class Turns:
    """A lock between threads, each of which has an event loop of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class Engine(DuckDBEngine):  # type: ignore[misc]
    """Gives each thread a cursor of its own, and the results of jobs as tables."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self._write_lock = Turns()  # asyncio's own knows one loop, and fails or hangs among several
        self._own = threading.local()

    @property
    def connection(self) -> Any:
        whole = super().connection
        if not hasattr(self._own, "cursor"):
            self._own.cursor = whole.cursor()
            self._own.cursor.execute("SET TimeZone = 'UTC'")
        return self._own.cursor

    def fetch_arrow(self, sql: str, parameters: list[Any] | None = None) -> Any:
        if found := ANONYMOUS.fullmatch(sql):
            (table,) = [t for job, t in JOB_RESULTS.items() if job.replace("-", "") == found[2]]
            return table
        if getattr(self._own, "is_dry", False):
            sql = f"FROM ({sql}) LIMIT 0"
        return super().fetch_arrow(sql, parameters)

    @contextmanager
    def dry(self) -> Iterator[None]:
        """Let this thread's queries have no rows: the emulator runs what it should describe."""
        self._own.is_dry = True
        try:
            yield
        finally:
            self._own.is_dry = False


@dataclass
class Job:
    """A query that runs in a thread of its own, until it ends or is ended."""

    body: Mapping[str, Any]
    answer: "Future[Answer]" = field(default_factory=Future)
    cursor: Any = None
    ended: str = ""

    @property
    def name(self) -> str:
        return str(self.body["jobReference"]["jobId"])

    def end(self, why: str) -> None:
        """Interrupt it until it has ended, unless that has come by itself."""
        while self.cursor and not self.answer.done():
            self.ended = self.ended or why
            self.cursor.interrupt()
            time.sleep(0.01)


class Service:
    """Stands before the emulator and lets in whoever has a token."""

    def __init__(self, app: App, engine: Engine) -> None:
        self._app = app
        self._engine = engine
        self._jobs: dict[str, Job] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await _body(receive)
        status, answer = await self._answered(scope, body)
        content = json.dumps(answer).encode() if not isinstance(answer, bytes) else answer
        headers = [(b"content-type", b"application/json")]
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answered(self, scope: Any, body: bytes) -> Answer:
        if scope["path"] == "/token":
            return login(body)
        if found := OF_DATASET.fullmatch(scope["path"]):
            return 200, getattr(self, found[1])(found[2])
        if not dict(scope["headers"]).get(b"authorization", b"").startswith(b"Bearer token-"):
            return refusal(401, "required", "Login Required.")
        if missing := await self._missing(scope):
            return refusal(404, "notFound", f"Not found: {missing}")
        if RIGHTS.search(scope["path"]):
            return 200, {"permissions": rights(scope)}
        found = JOBS.fullmatch(scope["path"])
        return await (self._about_jobs(found, scope, body) if found else self._plain(scope, body))

    async def _missing(self, scope: Any) -> str:
        """Return which project or dataset there is none of: the emulator finds them empty."""
        project = OF_PROJECT.match(scope["path"])
        if project and project[1] != SETTINGS["project"]:
            return f"Project {project[1]}"
        tables = TABLES.fullmatch(scope["path"])
        if tables is None:
            return ""
        path = scope["path"].removesuffix("/tables")
        dataset = {"path": path, "raw_path": path.encode(), "query_string": b""}
        status, _ = await self._plain({**scope, **dataset}, b"")
        return f"Dataset {SETTINGS['project']}:{tables[1]}" if status == 404 else ""

    def running(self, dataset: str) -> int:
        """Count the queries over a dataset that run."""
        return sum(not job.answer.done() for job in self._over(dataset))

    def forget(self, dataset: str) -> int:
        """Delete the results of the queries over a dataset, as an administrator may."""
        names = [job.name for job in self._over(dataset) if job.answer.done()]
        for name in names:
            del self._jobs[name]
            JOB_RESULTS.pop(name, None)
        return len(names)

    def _over(self, dataset: str) -> Iterator[Job]:
        for job in list(self._jobs.values()):
            default = job.body["configuration"]["query"].get("defaultDataset", {})
            if default.get("datasetId") == dataset:
                yield job

    async def _plain(self, scope: Any, body: bytes, *, dry: bool = False) -> Answer:
        """Ask in another thread: the emulator keeps its own waiting while it computes."""
        return await asyncio.to_thread(self._called, scope, body, dry=dry)

    def _called(self, scope: Any, body: bytes, *, dry: bool = False) -> Answer:
        with self._engine.dry() if dry else nullcontext():
            return asyncio.run(called(self._app, scope, body))

    async def _about_jobs(self, found: re.Match[str], scope: Any, body: bytes) -> Answer:
        _, kind, name, cancel = found.groups()
        if (scope["method"], kind, name) == ("POST", "jobs", None):
            return await self._inserted(scope, body)
        job = self._jobs.get(name or "")
        if job is None:
            return await self._plain(scope, body)
        if cancel:
            await asyncio.to_thread(job.end, "User requested cancellation")
            return 200, {"kind": "bigquery#jobCancelResponse", "job": standing(job)}
        if kind == "queries" and not job.answer.done():
            return 200, {"jobReference": job.body["jobReference"], "jobComplete": False}
        if not job.answer.done() or job.ended or job.answer.result()[0] != 200:
            return 200, standing(job)
        return await self._plain(scope, body)

    async def _inserted(self, scope: Any, body: bytes) -> Answer:
        asked = json.loads(body)
        sql = asked["configuration"]["query"]["query"]
        if canned := CANNED.search(sql):
            told = SETTINGS["answers"][canned[1]]
            return refusal(told["status"], told["reason"], told["message"])
        if asked["configuration"].get("dryRun"):
            status, answer = await self._plain(scope, body, dry=True)
            return status, billed(answer, sql) if status == 200 else answer
        limit = int(asked["configuration"]["query"].get("maximumBytesBilled", HUGE))
        if BILLED.search(sql) and limit < HUGE:
            text = f"Query exceeded limit for bytes billed: {limit}. {HUGE} or higher required."
            return refusal(400, "bytesBilledLimitExceeded", text)
        job = Job(asked)
        self._jobs[job.name] = job
        threading.Thread(target=self._run, args=[job, scope, body], daemon=True).start()
        self._limit(job, int(asked["configuration"].get("jobTimeoutMs", 0)))
        waiting = asyncio.shield(asyncio.wrap_future(job.answer))
        await asyncio.wait([waiting], timeout=PATIENCE)
        return job.answer.result() if job.answer.done() else (200, standing(job))

    def _limit(self, job: Job, milliseconds: int) -> None:
        if milliseconds:
            loop, seconds = asyncio.get_running_loop(), milliseconds / 1000
            why = f"Job timed out after {seconds} s"
            loop.call_later(seconds, loop.run_in_executor, None, job.end, why)

    def _run(self, job: Job, scope: Any, body: bytes) -> None:
        job.cursor = self._engine.connection
        job.answer.set_result(self._called(scope, body))


def login(body: bytes) -> Answer:
    form = urllib.parse.parse_qs(body.decode())
    try:
        claims = jwt.decode(
            form["assertion"][0], SETTINGS["public_key"], ["RS256"],
            options={"verify_aud": False, "require": ["iss", "scope", "exp", "iat"]},
        )  # fmt: skip
    except jwt.PyJWTError:
        text = "Invalid JWT Signature."
        return 400, {"error": "invalid_grant", "error_description": text}
    token = f"token-{claims['iss']}"
    return 200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}


def rights(scope: Any) -> list[str]:
    """Return what the account whose token it is may do."""
    token = dict(scope["headers"])[b"authorization"].decode()
    return next((may for who, may in SETTINGS["rights"].items() if f"-{who}@" in token), [])


def refusal(status: int, reason: str, message: str) -> Answer:
    one = {"domain": "global", "reason": reason, "message": message}
    return status, {"error": {"code": status, "message": message, "errors": [one]}}


def billed(answer: Any, sql: str) -> Any:
    said = json.loads(answer)
    size = str(HUGE if BILLED.search(sql) else 0)
    said["statistics"]["totalBytesProcessed"] = size
    said["statistics"]["query"]["totalBytesProcessed"] = size
    return said


def standing(job: Job) -> dict[str, Any]:
    """Return a job that runs or has failed, as jobs.get tells it."""
    status: dict[str, Any] = {"state": "DONE" if job.answer.done() else "RUNNING"}
    if job.answer.done() and job.ended:
        text = f"Job execution was cancelled: {job.ended}"
        status["errorResult"] = {"reason": "stopped", "message": text}
    elif job.answer.done() and job.answer.result()[0] != 200:
        status["errorResult"] = json.loads(job.answer.result()[1])["error"]["errors"][0]
    return {**job.body, "kind": "bigquery#job", "status": status, "statistics": {}}


async def _body(receive: Any) -> bytes:
    whole, more = b"", True
    while more:
        message = await receive()
        whole += message.get("body", b"")
        more = message.get("more_body", False)
    return whole


async def called(app: App, scope: Any, body: bytes) -> Answer:
    """Ask the emulator and take its answer."""
    parts: list[Any] = []
    questions = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return questions.pop() if questions else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        parts.append(message)

    await app(dict(scope), receive, send)
    return parts[0]["status"], b"".join(part.get("body", b"") for part in parts[1:])


class Doorkeeper(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Lets in whoever has a token and may read sessions."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        given = dict(details.invocation_metadata).get("authorization", "")
        if given.startswith("Bearer token-") and SETTINGS["may_not_stream"] not in given:
            return await continuation(details)

        async def refuse(_: Any, context: Any) -> None:
            text = "the user does not have 'bigquery.readsessions.create' permission"
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, text)

        return grpc.unary_unary_rpc_method_handler(refuse)


def locked(build: Callable[[Any], tuple[Any, int]], context: Any) -> tuple[Any, int]:
    """Return the emulator's gRPC server with one more door, which is locked."""
    plain = grpc.aio.server
    grpc.aio.server = lambda interceptors, options: plain(
        interceptors=(Doorkeeper(), *interceptors), options=options
    )
    server, _ = build(context)
    grpc.aio.server = plain
    credentials = grpc.ssl_server_credentials([CERTIFICATE])
    return server, server.add_secure_port(f"127.0.0.1:{SETTINGS['storage_port']}", credentials)


def main() -> None:
    """Serve until asked to end."""
    build = bqemulator.server.build_grpc_server
    bqemulator.server.DuckDBEngine = Engine
    server = bqemulator.server.EmulatorServer(
        bqemulator.server.Settings(
            rest_port=SETTINGS["port"],
            grpc_port=0,
            default_project_id=SETTINGS["project"],
            log_level="warning",
            enable_format_extensions=False,
        )
    )
    config = partial(
        uvicorn.Config, ssl_keyfile=SETTINGS["key_file"], ssl_certfile=SETTINGS["cert_file"]
    )
    uvicorn.Config = lambda app, **options: config(  # type: ignore[assignment,misc]
        Service(app, server._engine),  # noqa: SLF001
        **options,
    )
    bqemulator.server.build_grpc_server = partial(locked, build)
    server.run_forever()


if __name__ == "__main__":
    main()
