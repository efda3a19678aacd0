"""`rowlift serve` as a process, and a client of its API."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from served import until

ANN = {"email": "ann@example.com", "password": "a sentence of her own"}
API = re.compile(r"The API answers at (\S+)")
CODE = re.compile(r"signs up with (\S+)")


class Service:
    """A served folder, and what it has said."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "rowlift", "-C", str(folder), "serve", "--port", "0"]
        self._log = (folder.parent / "serve.log").open("w+")
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, env=os.environ | env
        )

    @property
    def said(self) -> str:
        return Path(self._log.name).read_text()

    def told(self, pattern: re.Pattern[str]) -> str:
        found = until(lambda: pattern.search(self.said) or self.process.poll())
        assert isinstance(found, re.Match), self.said
        return found[1]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._log.close()
        return code


@contextmanager
def serving(folder: Path, **env: str) -> Iterator[tuple[Service, httpx.Client]]:
    service = Service(folder, env)
    try:
        with httpx.Client(base_url=service.told(API), trust_env=False, timeout=60) as client:
            yield service, client
    finally:
        if service.process.poll() is None:
            service.end()


def signed_in(client: httpx.Client) -> httpx.Client:
    client.post("/session", json=ANN).raise_for_status()
    client.headers["x-csrf-token"] = client.get("/session").json()["csrf"]
    return client
