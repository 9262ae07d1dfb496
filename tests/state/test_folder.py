from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from driftgauge.state.files import HEADER_BYTES, Busy, FileLock, boot_id
from driftgauge.state.folder import found_in, reset
from driftgauge.state.slots import TAKE_SECONDS

from tests.writers import FILES, HEADS, Crew, crew, names_in, shape_of, slots_in

WINDOW = 1_000


@pytest.fixture(scope="module")
def workers() -> Iterator[Crew]:
    with crew() as own:
        yield own


def test_files_are_found_with_who_wrote_them_and_whether_they_are_held(workers: Crew, tmp_path: Path) -> None:
    workers.append(tmp_path / "churn" / "1", 5, "held")
    slots = slots_in(tmp_path / "churn" / "2")
    slots.take()
    slots.leave()
    found = {str(own.path.relative_to(tmp_path)): own for own in found_in(tmp_path)}
    assert set(found) == {
        f"churn/{version}/{name}.state" for version in (1, 2) for name in ("0", "evaluation", "retired")
    }
    held, left = found["churn/1/0.state"], found["churn/2/0.state"]
    assert (held.held, held.lease.clean, held.header["model_name"]) == (True, False, "churn")
    assert (left.held, left.lease.clean, left.lease.pid) == (False, True, os.getpid())
    assert left.size_bytes == HEADER_BYTES + shape_of(WINDOW).layout.size_bytes
    workers.killed()


@pytest.mark.parametrize("content", HEADS.values(), ids=HEADS)
def test_files_that_are_no_states_are_found_without_a_header(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "0.state").write_bytes(content)
    (found,) = found_in(tmp_path)
    assert (dict(found.header), found.held, found.lease.lives(boot_id())) == ({}, False, False)


def test_all_state_is_deleted_unless_a_server_uses_it(tmp_path: Path) -> None:
    slots = slots_in(tmp_path / "churn" / "1")
    slots.take()
    with pytest.raises(Busy, match=f"process {os.getpid()}"):
        reset(tmp_path)
    assert names_in(tmp_path / "churn" / "1") == FILES
    slots.leave()
    assert reset(tmp_path) == 3
    assert names_in(tmp_path / "churn" / "1") == set()


def test_nothing_is_deleted_of_a_server_that_starts_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "churn" / "1"
    slots = slots_in(folder)
    slots.take()
    slots.leave()
    with ThreadPoolExecutor() as pool:
        with slots.evaluating().held(TAKE_SECONDS):
            job = pool.submit(reset, tmp_path)
            time.sleep(0.05)
            beginning = FileLock(folder / "0.lock")
            assert beginning.take()
            (folder / "0.state").unlink()
        with pytest.raises(Busy, match=r"\(0\.lock\)"):
            job.result()
        beginning.release()
    assert names_in(folder) == FILES - {"0.state"}
