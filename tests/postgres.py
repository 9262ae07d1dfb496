"""A real PostgreSQL for tests: started once a run, on a free port of 127.0.0.1, in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e.processes import free_port
from tests.e2e.programs import require

SECONDS = 60.0
USER = "tests"
_databases = count()


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"log_{os.getpid()}_{next(_databases)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"


def missing_postgres() -> str | None:
    """Return what to do to have PostgreSQL, or None where it is there."""
    return None if _folder() else "PostgreSQL is not installed: run `make postgres`, or apt-get install postgresql"


def _folder() -> Path | None:
    """Return the folder of the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def own_postgres() -> Iterator[PostgresServer]:
    """Give a server that holds no data yet; without the programs the test is skipped, or fails in CI."""
    require(missing_postgres(), in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
    programs = _folder()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="driftgauge-postgres-"))
    try:
        with PostgresServer(programs, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give a server that tests share."""
    with own_postgres() as server:
        yield server.running


class PostgresServer:
    """Runs a server under a user of its own, as PostgreSQL demands of root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.port = programs, folder, free_port()
        self.as_user: Mapping[str, Any] = {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self.as_user = {**self.as_user, "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __enter__(self) -> PostgresServer:
        data = self.folder / "data"
        made: Sequence[str] = [f"--pgdata={data}", f"--username={USER}", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run(
            [self.programs / "initdb", *made], check=True, capture_output=True, timeout=SECONDS, **self.as_user
        )
        self.start()
        return self

    @property
    def running(self) -> Postgres:
        return Postgres(self.port)

    def start(self) -> None:
        """Start the server on its data, and wait until it answers."""
        data, log = self.folder / "data", self.folder / "log"
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", data, "-p", str(self.port), *settings],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.as_user,
            )
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                psycopg.connect(self.running.url("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    pytest.fail(f"PostgreSQL did not start: {log.read_text('utf-8', 'replace')[-2_000:]}")
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let no process of the server run: connections stay open, and nothing answers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        os.kill(self.process.pid, signal.SIGSTOP)  # first, so that it starts no more of them
        stopped = [self.process.pid, *map(int, children.read_text().split())]
        for pid in stopped[1:]:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(stopped):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """End the server."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)  # ends connections that tests left open
        try:
            self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=SECONDS)
