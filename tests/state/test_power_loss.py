"""A loss of power: pages of files may have reached the disk in any order, so old and new ones are mixed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import driftgauge.state.files
import driftgauge.state.slots
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.damaged import WORKERS, Running, Step, check_recovered, own_count, play, running_workers
from tests.effort import examples

PAGE = 4_096

steps = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "evaluate"]),
        st.integers(0, WORKERS - 1),
        st.sampled_from([1, 7, 60, 300, 2_500]),
    ),
    max_size=8,
)


def _files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _mixed(old: bytes, new: bytes, share: float, rng: np.random.Generator) -> bytes:
    """Return a file of which a share of the pages is new."""
    pages = [np.frombuffer(content, np.uint8).reshape(-1, PAGE) for content in (_padded(old), _padded(new))]
    is_new = rng.random(len(pages[1])) < share
    mixed: bytes = np.where(is_new[:, None], pages[1], pages[0])[: len(pages[1])].tobytes()
    return mixed[: len(new)]


def _padded(content: bytes) -> bytes:
    return content.ljust(-(-len(content) // PAGE) * PAGE, b"\0")


def _lose_power(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (driftgauge.state.files, driftgauge.state.slots):
        monkeypatch.setattr(module, "boot_id", lambda: "of another start", raising=False)


@settings(deadline=None, max_examples=examples(150))
@given(steps, steps, st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.integers(0, 1_000))
def test_after_a_power_loss_no_row_counts_twice_and_windows_recover(
    before: Sequence[Step], after: Sequence[Step], share: float, seed: int
) -> None:
    with running_workers() as running, tempfile.TemporaryDirectory() as name:
        play(running, before)
        old = _files(running.folder)
        play(running, after)
        rng, folder = np.random.default_rng(seed), Path(name)
        for file, content in _files(running.folder).items():
            (folder / file).write_bytes(_mixed(old[file], content, share, rng))
        with pytest.MonkeyPatch.context() as patch:
            _lose_power(patch)
            again = Running(folder, sent=running.sent).start()
            assert sum(map(own_count, again.stores)) <= sum(running.appended)
            again.appended = [own_count(store) for store in again.stores]
            sent = sum(running.appended)
            again.evaluate(0)
            counted = int(again.stores[0].root.progress.head.total[0].sum())
            assert counted <= sent, "a row was counted twice"
            if counted < sent:
                assert any(store.recoveries for store in again.stores), "rows were lost, and no recovery reports it"
            check_recovered(again)
            for store in again.stores:
                store.leave()
