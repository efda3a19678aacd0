"""The ingest API until so many messages are written: `service.py MESSAGES`, in a project's folder.

As `service.py URL KEY MESSAGES` it is the sender.
"""

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import urllib3
import uvicorn

import rowlift
from rowlift.operations.ingesting import Ingest
from rowlift.web.ingest.app import application
from rowlift.workers.ingesting import IngestWorker

BATCH = 100
SENDERS = 4
OF_A_PERSON = 4  # messages
LOOK_SECONDS = 0.05


def serve(messages: int) -> None:
    """Serve until the sender is done and nothing waits."""
    with (
        rowlift.Project() as project,
        socket.create_server(("127.0.0.1", 0)) as listening,
        IngestWorker(project.ingest) as worker,
    ):
        key = project.ingest.create_key("bench").secret
        config = uvicorn.Config(application(project.ingest, worker.wake), log_level="warning")
        server = uvicorn.Server(config)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        words = [sys.executable, __file__, address, key, str(messages)]
        with subprocess.Popen(words) as sender:
            watcher = threading.Thread(target=_stop, args=(server, sender, project.ingest))
            watcher.start()
            server.run([listening])
            watcher.join()
    if sender.returncode:
        sys.exit("the sender failed")


def _stop(server: uvicorn.Server, sender: "subprocess.Popen[bytes]", ingest: Ingest) -> None:
    sender.wait()
    while ingest.waiting_bytes() and not sender.returncode:
        time.sleep(LOOK_SECONDS)
    server.should_exit = True


def send(address: str, key: str, messages: int) -> None:
    """Post all messages in batches, several at a time."""
    token = base64.b64encode(f"{key}:".encode()).decode()
    headers = {"authorization": f"Basic {token}", "content-type": "application/json"}
    pool = urllib3.PoolManager(maxsize=SENDERS, headers=headers)

    def post(batch: Sequence[dict[str, object]]) -> None:
        body = json.dumps({"batch": batch}).encode()
        answer = pool.request("POST", f"{address}/v1/batch", body=body)
        if answer.status != 200:  # noqa: PLR2004
            raise SystemExit(f"{answer.status}: {answer.data.decode()}")

    with ThreadPoolExecutor(SENDERS) as senders:
        for done in senders.map(post, batches(messages)):
            assert done is None  # noqa: S101


def batches(messages: int) -> Iterator[list[dict[str, object]]]:
    """Yield batches of people who identify themselves, join an account, and do two things."""
    for start in range(0, messages, BATCH):
        yield [message(at) for at in range(start, min(start + BATCH, messages))]


def message(at: int) -> dict[str, object]:
    """Return a message by its number."""
    who, step = divmod(at, OF_A_PERSON)
    shared: dict[str, object] = {
        "userId": f"u{who}",
        "anonymousId": f"a{who}",
        "messageId": f"m{at}",
        "timestamp": "2026-01-01T10:00:00Z",
        "context": {"library": {"name": "bench", "version": "1"}},
    }
    if step == 0:
        traits = {"email": f"u{who}@example.org", "plan": "pro", "seats": who % 100}
        return {**shared, "type": "identify", "traits": traits}
    if step == 1:
        account = {"groupId": f"g{who % 1000}", "traits": {"name": f"Account {who % 1000}"}}
        return {**shared, "type": "group", **account}
    return {**shared, "type": "track", "event": "Bought", "properties": {"price": 1.5, "sku": "x"}}


if __name__ == "__main__":
    match sys.argv[1:]:
        case [count]:
            serve(int(count))
        case [address, key, count]:
            send(address, key, int(count))
