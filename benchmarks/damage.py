"""How long `/metrics` and `/drift/status` take while files of the state are damaged under a running server.

`python -m benchmarks.damage BUNDLE PORT [SECONDS]`: a server for each kind of damage, one after the other.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx

from tests.damage import BESIDE, FILES, OF_FILES, OF_FOLDER, Seen, held

PATIENCE_SECONDS = 8.0
Damaging = Callable[[Path], object]


@contextmanager
def _server(bundle: Path, port: int, state: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    command = [sys.executable, "-m", "driftgauge", "serve", "--bundle", str(bundle), "--port", str(port)]
    with (state.parent / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--state-dir", str(state)], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
            deadline = time.monotonic() + 60.0
            while True:
                try:
                    client.get("/health/ready").raise_for_status()
                    break
                except httpx.HTTPError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
            yield process, client
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _kinds() -> Iterator[tuple[str, Damaging]]:
    for file in FILES:
        for name, damage in OF_FILES.items():
            yield f"{file}: {name}", partial(_damage, damage, file)
    for name, damage in BESIDE.items():
        yield f"1.log: {name}", partial(_damage, damage, "1.log")
    for name, damage in OF_FOLDER.items():
        yield f"folder: {name}", damage
    yield "evaluation.lock: held by another", lambda folder: None


def _damage(damage: Damaging, file: str, folder: Path) -> None:
    damage(folder / file)


def main() -> None:
    """Print a line for each kind of damage."""
    bundle, port = Path(sys.argv[1]), int(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 2.0
    for name, damage in _kinds():
        with tempfile.TemporaryDirectory() as scratch, _server(bundle, port, Path(scratch) / "state") as (own, client):
            sample = client.get("/metadata").json()
            row = dict(zip([f["name"] for f in sample["features"]], sample["data_sample"][0], strict=True))
            seen = Seen().look(client, row)
            seen.worst.clear()
            folder = next((Path(scratch) / "state").rglob("0.log")).parent
            with ExitStack() as stack:
                if "held" in name:
                    stack.enter_context(held(folder / "evaluation.lock"))
                damage(folder)
                seen.look(client, row, seconds=seconds)
            told = [f"{path} {seen.worst[path]:.2f} s {'/'.join(sorted(codes))}" for path, codes in seen.codes.items()]
            said = f"counters back {len(seen.fallen)}; unhealthy {seen.unhealthy}; exit {own.poll()}"
            print(f"{name}: {', '.join(told)}; {said}", flush=True)
            if folder.exists() and not folder.is_file():
                os.chmod(folder, 0o700)


if __name__ == "__main__":
    main()
