from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.evidence.detector import Rate
from driftgauge.drift.evidence.live_dependence import LEVELS, Level
from driftgauge.drift.evidence.progress import Progress
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.latches import Latches
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.drift.windows.blocks import Head
from driftgauge.drift.windows.buckets import NEVER, first_bucket
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.double_buffer import Damaged
from driftgauge.state.failpoints import no_failpoint
from driftgauge.state.pages import Page
from driftgauge.state.root import FOLDED, MAX_SLOTS, Root
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import START, in_sample_baseline
from tests.states import SPANS, assert_same_evidence, shape_of, small_shape

SHAPE = small_shape(100)
COLUMNS, BINS = SHAPE.binner.columns, SHAPE.binner.width
SHORT = SPANS[0]

Pages = dict[int, Page]


class _Stop(Exception):
    pass


def _buffer() -> bytearray:
    return bytearray(SHAPE.checkpoint.size_bytes)


def _begun(buffer: bytearray, failpoint: Callable[[str], None] = no_failpoint) -> Checkpoint:
    """Return a checkpoint that is usable."""
    checkpoint = Checkpoint(SHAPE, buffer, failpoint=failpoint)
    checkpoint.repair()
    return checkpoint


def _peer(buffer: bytearray) -> Checkpoint:
    """Return the checkpoint as a process sees it that has read nothing yet."""
    return Checkpoint(SHAPE, memoryview(buffer).toreadonly())


def _root(before: Root, seed: int) -> Root:
    """Return a root that a commit might write, with numbers that occur nowhere else."""
    random = np.random.default_rng(seed)
    raised = random.random(COLUMNS) < 0.5
    evidence = replace(
        SHAPE.detector.start(),
        wealth=random.random(SHAPE.detector.bets) * 1e6,
        values=random.random(COLUMNS) * 1e6,
        raised=raised,
        since=np.where(raised, random.random(COLUMNS) * 1e9, np.nan),
        cleared=np.where(random.random(COLUMNS) < 0.5, 1e9, np.nan),
        threshold=float(random.random() * 1e6),
        rate=Rate(float(random.integers(1_000)), float(random.random()), START if seed % 2 else None, START + seed),
    )
    keys = random.choice(2**62, seed % (MAX_SLOTS + 1), replace=False).tolist()
    head = Head(
        int(random.integers(2**50)),
        int(random.integers(2**44)),
        int(random.integers(24)),
        float(random.random() * 4e9),
        random.integers(0, 2**60, (COLUMNS, BINS)),
    )
    weighed = random.integers(0, 2**32, (COLUMNS, BINS), dtype=np.uint32)
    return Root(
        progress=Progress(head, weighed, evidence),
        latches=Latches(random.random((len(LIMITS), COLUMNS)) < 0.5, int(random.integers(2**50)), START + seed),
        evaluated_at=START - seed,
        positions={key: FOLDED if key % 5 == 0 else int(random.integers(2**40)) for key in keys},
        carried=random.integers(0, 2**63, before.carried.shape, dtype=np.uint64),
        table=before.table,
        levels=before.levels,
    )


def _assert_same_root(found: Root, expected: Root) -> None:
    """Assert that all but the table of pages is the same."""
    assert_same_evidence(found.progress.evidence, expected.progress.evidence)
    np.testing.assert_equal(vars(found.progress.head), vars(expected.progress.head))
    np.testing.assert_equal(vars(found.latches), vars(expected.latches))
    np.testing.assert_array_equal(found.progress.weighed, expected.progress.weighed)
    np.testing.assert_array_equal(found.carried, expected.carried)
    assert (found.evaluated_at, found.positions) == (expected.evaluated_at, expected.positions)


def _page(number: int, seed: int) -> Page:
    random = np.random.default_rng(seed)
    counts = random.integers(0, 1_000, (COLUMNS, BINS), dtype=np.uint32)
    counts[:, 0] += 4_000 * BINS - counts.sum(axis=1, dtype=np.uint32)  # as many rows in each column
    return number, {"counts": counts, "sums": random.normal(size=(2, COLUMNS))}


def _place(span: TimeSpan, age: int = 0) -> tuple[int, int]:
    """Return the place and the number of the bucket that began some buckets before START."""
    number = math.floor(START / span.width) - age
    return int(SHAPE.rings.place(span, np.array([number]))[0]), number


def _is_at(span: TimeSpan, number: int, place: int) -> bool:
    return bool((SHAPE.rings.place(span, np.array([number])) == place).all())


def _assert_totals(checkpoint: Checkpoint, root: Root, pages: Mapping[int, Page]) -> None:
    """Assert that time windows at START hold these pages and no others."""
    totals, damaged = checkpoint.totals(root, START)
    assert damaged.size == 0
    for total, span in zip(totals, SPANS, strict=True):
        oldest = first_bucket(span, START)
        expected, sums = np.zeros((COLUMNS, BINS), np.int64), np.zeros((2, COLUMNS))
        for place, (number, arrays) in pages.items():
            if _is_at(span, number, place) and oldest <= number < oldest + span.buckets:
                expected += arrays["counts"]
                sums += arrays["sums"]
        np.testing.assert_array_equal(total.counts, expected)
        np.testing.assert_allclose(total.sums, sums, rtol=1e-12, atol=1e-12)
        assert total.rows == expected[0].sum() == total.hours.sum()


# ---------------------------------------------------------------- the root


def test_a_new_checkpoint_is_empty() -> None:
    checkpoint = Checkpoint(SHAPE)
    root = checkpoint.read()
    assert_same_evidence(root.progress.evidence, SHAPE.detector.start())
    assert (root.progress.head.rows, root.progress.head.ended, root.progress.head.at) == (0, 0, -math.inf)
    assert (root.latches.rows, root.latches.clock, root.evaluated_at) == (0, -math.inf, -math.inf)
    assert not (root.latches.latched.any())
    assert not (root.carried.any())
    assert not (root.positions)
    _assert_totals(checkpoint, root, {})


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=5))
def test_a_committed_root_is_read_by_all_processes(seeds: list[int]) -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    early = _peer(buffer)
    for seed in seeds:
        root = _root(checkpoint.read(), seed)
        checkpoint.commit(root, {})
        for reader in (checkpoint, early, _peer(buffer)):
            _assert_same_root(reader.read(), root)
            assert reader.last_read is not None
            _assert_same_root(reader.last_read, root)


def test_a_root_that_was_read_is_read_only() -> None:
    buffer = _buffer()
    _begun(buffer)
    root = _peer(buffer).read()
    evidence = root.progress.evidence
    arrays = (root.progress.head.total, root.progress.weighed, root.latches.latched, root.carried, root.table.numbers)
    for array in (*arrays, evidence.wealth, evidence.values, evidence.raised, evidence.since, evidence.cleared):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1


def test_evidence_of_a_column_that_is_not_watched_stays_unknown() -> None:
    shape = shape_of(in_sample_baseline(), 10)
    buffer = bytearray(shape.checkpoint.size_bytes)
    Checkpoint(shape, buffer).repair()
    found = Checkpoint(shape, buffer).read().progress.evidence
    assert np.isnan(found.values).tolist() == [False, False, False, True]
    assert_same_evidence(found, shape.detector.start())


def test_a_checkpoint_without_time_windows_has_no_pages() -> None:
    shape = small_shape(100, spans=())
    checkpoint = Checkpoint(shape)
    checkpoint.commit(_root(checkpoint.read(), 3), {})
    assert checkpoint.totals(checkpoint.read(), START)[0] == ()


# ---------------------------------------------------------------- pages

ages = st.lists(st.tuples(st.sampled_from(SPANS), st.integers(0, 130)), max_size=6)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.tuples(ages, st.integers(0, 10_000)), min_size=1, max_size=6))
def test_time_windows_hold_the_pages_that_were_committed_last(commits: list[tuple[Any, int]]) -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    held: Pages = {}
    for chosen, seed in commits:
        pages = {}
        for turn, (span, age) in enumerate(chosen):
            place, number = _place(span, age)
            pages[place] = _page(number, seed + turn)
        checkpoint.commit(_root(checkpoint.read(), seed), pages)
        held |= pages
        for reader in (checkpoint, _peer(buffer)):
            _assert_totals(reader, reader.read(), held)
            for span in SPANS:
                numbers = SHAPE.rings.part(span, reader.read().table.numbers)
                assert numbers.shape == (span.buckets,)
                expected = {page[0] for place, page in held.items() if _is_at(span, page[0], place)}
                assert {*numbers.tolist()} - {NEVER} == expected


POINTS = [("checkpoint.page", 1), ("checkpoint.page", 2), ("checkpoint.page", 3)]
POINTS += [("checkpoint.copied", 1), ("checkpoint.checked", 1)]


@pytest.mark.parametrize(("point", "nth"), POINTS)
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_a_commit_that_was_never_finished_leaves_the_old_state_whole(point: str, nth: int, commits: int) -> None:
    passed, killing = 0, False

    def failpoint(reached: str) -> None:
        nonlocal passed
        passed += killing and reached == point
        if passed == nth:
            raise _Stop

    buffer = _buffer()
    checkpoint = _begun(buffer, failpoint)
    held: Pages = {}
    places = [_place(span, age) for span in SPANS for age in (0, 1)]
    for seed in range(commits):
        pages = {place: _page(number, 10 * seed + place) for place, number in places}
        checkpoint.commit(_root(checkpoint.read(), seed), pages)
        held |= pages
    before, killing = checkpoint.read(), True
    root = _root(before, 99)
    changed = {place: _page(number, 900 + place) for place, number in places[1:5]}
    with pytest.raises(_Stop):
        checkpoint.commit(root, changed)
    for reader in (checkpoint, _peer(buffer)):
        _assert_same_root(reader.read(), before)
        _assert_totals(reader, reader.read(), held)
        assert reader.last_read is not None
    killing = False
    after = _begun(buffer)  # a successor repeats it
    after.commit(root, changed)
    for reader in (after, checkpoint, _peer(buffer)):
        _assert_same_root(reader.read(), root)
        _assert_totals(reader, reader.read(), held | changed)


def test_a_commit_overwrites_no_current_copy_of_a_page() -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    place, number = _place(SHORT)
    other, other_number = _place(SHORT, 1)
    checkpoint.commit(checkpoint.read(), {place: _page(number, 1), other: _page(other_number, 2)})
    for seed in range(3, 7):
        pages = SHAPE.checkpoint.arrays(buffer)["pages"].copy()
        checkpoint.commit(checkpoint.read(), {place: _page(number, seed)})
        changed = (SHAPE.checkpoint.arrays(buffer)["pages"] != pages).any(axis=2)
        assert np.argwhere(changed)[:, 1].tolist() == [place]  # one copy of one page: the rest is not written
        assert np.argwhere(changed)[0, 0] == checkpoint.read().table.copy[place]


def test_failpoints_are_passed_in_the_order_of_writes() -> None:
    passed: list[str] = []
    checkpoint = _begun(_buffer(), passed.append)
    passed.clear()
    pages = {place: _page(number, place) for place, number in (_place(span) for span in SPANS)}
    checkpoint.commit(checkpoint.read(), pages)
    root = [f"checkpoint.{step}" for step in ("copied", "checked", "published")]
    assert passed == [*["checkpoint.page"] * 3, *root]


# ---------------------------------------------------------------- damage


def _damage_root(buffer: bytearray, *copies: int) -> None:
    """Damage the copies of the root: the older one (0), the newer one (1), or both."""
    arrays = SHAPE.checkpoint.arrays(buffer)
    for copy in copies:
        arrays["checkpoint_copies"][(int(arrays["checkpoint_sequence"][0]) + 1 + copy) % 2, 7] ^= np.uint64(1)


def test_a_process_that_read_nothing_restores_the_commit_before_a_damaged_one() -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    (place, number), states = _place(SHORT), []
    for seed in range(1, 4):
        root, pages = _root(checkpoint.read(), seed), {place: _page(number, seed)}
        checkpoint.commit(root, pages)
        states.append((root, pages))
    _damage_root(buffer, 1)
    successor = Checkpoint(SHAPE, buffer)
    with pytest.raises(Damaged, match="newest copy"):
        successor.read()
    assert "restored" in successor.repair()
    _assert_same_root(successor.read(), states[-2][0])
    _assert_totals(successor, successor.read(), states[-2][1])


def _damage_sequence(buffer: bytearray) -> None:
    SHAPE.checkpoint.arrays(buffer)["checkpoint_sequence"][0] ^= 1 << 40


@pytest.mark.parametrize("damage", [_damage_sequence, lambda buffer: _damage_root(buffer, 0, 1)])
def test_a_damaged_root_is_restored_as_it_was_read_last(damage: Callable[[bytearray], None]) -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    held = {}
    for age in range(3):
        place, number = _place(SHORT, age)
        held[place] = _page(number, age)
    root = _root(checkpoint.read(), 5)
    checkpoint.commit(root, held)
    reader = _begun(buffer)
    for seed in range(2):  # pages that have changed since are lost
        checkpoint.commit(_root(checkpoint.read(), 6), {place: _page(number, 7 + seed)})
    damage(buffer)
    with pytest.raises(Damaged):
        _peer(buffer).read()
    said = reader.repair()
    assert "checkpoint" in said
    assert "restored as it was read last" in said
    del held[place]
    for other in (reader, checkpoint, _peer(buffer)):
        _assert_same_root(other.read(), root)
        _assert_totals(other, other.read(), held)
    assert reader.repair() == ""


def test_the_next_commit_of_a_process_that_knows_a_damaged_root_makes_it_whole() -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    place, number = _place(SHORT)
    checkpoint.commit(_root(checkpoint.read(), 5), {place: _page(number, 1)})
    _damage_root(buffer, 0, 1)
    checkpoint.repair()
    root = replace(checkpoint.read(), evaluated_at=START + 7.0)
    checkpoint.commit(root, {})
    _assert_same_root(_peer(buffer).read(), root)
    _assert_totals(_peer(buffer), _peer(buffer).read(), {place: _page(number, 1)})


def test_of_a_restored_root_the_pages_are_kept_that_fit_it() -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    held = {}
    for age in range(6):
        place, number = _place(SHORT, age)
        held[place] = _page(number, age)
    checkpoint.commit(_root(checkpoint.read(), 5), held)
    lost = [*held][1::2]
    for place in lost:
        SHAPE.checkpoint.arrays(buffer)["pages"][checkpoint.read().table.copy[place], place, 3] ^= np.uint64(8)
    _damage_sequence(buffer)
    assert checkpoint.repair() != ""
    _assert_totals(checkpoint, checkpoint.read(), {place: page for place, page in held.items() if place not in lost})


def test_a_damaged_root_that_a_process_never_read_begins_empty() -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    place, number = _place(SHORT)
    checkpoint.commit(_root(checkpoint.read(), 5), {place: _page(number, 1)})
    _damage_root(buffer, 0, 1)
    successor = Checkpoint(SHAPE, buffer)
    assert successor.last_read is None
    assert "begins empty" in successor.repair()
    _assert_same_root(successor.read(), Checkpoint(SHAPE).read())
    _assert_totals(successor, successor.read(), {})


@settings(deadline=None, max_examples=examples(60))
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_page_is_left_out_and_named(where: int, bits: int) -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    held = {}
    for age in range(4):
        place, number = _place(SHORT, age)
        held[place] = _page(number, age)
    checkpoint.commit(checkpoint.read(), held)
    victim = [*held][where % 4]
    used = max(SHAPE.page.offsets[field.name] + field.size_bytes for field in SHAPE.page.fields)
    page = SHAPE.checkpoint.arrays(buffer)["pages"][checkpoint.read().table.copy[victim], victim].view(np.uint8)
    page[where % used] ^= bits
    root = checkpoint.read()
    totals, damaged = checkpoint.totals(root, START)
    assert damaged.tolist() == [victim]
    kept = [arrays["counts"] for place, (_, arrays) in held.items() if place != victim]
    np.testing.assert_array_equal(totals[0].counts, sum(kept))
    checkpoint.commit(root.without(damaged), {})
    _assert_totals(checkpoint, checkpoint.read(), {place: own for place, own in held.items() if place != victim})


@pytest.mark.parametrize("content", [0x00, 0xFF, 0x07])
def test_places_that_were_overwritten_hold_no_checkpoint(content: int) -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    place, number = _place(SHORT)
    root = _root(checkpoint.read(), 5)
    checkpoint.commit(root, {place: _page(number, 1)})
    buffer[:] = bytes([content]) * len(buffer)
    SHAPE.checkpoint.arrays(buffer)["checkpoint_sequence"][0] += 9
    with pytest.raises(Damaged):
        _peer(buffer).read()
    checkpoint.repair()
    _assert_same_root(checkpoint.read(), root)
    _assert_totals(checkpoint, checkpoint.read(), {})


# ---------------------------------------------------------------- levels of live dependence


def _measured(root: Root, seed: int, blocks: int) -> Root:
    """Return the root after blocks of 50 rows."""
    codes = np.random.default_rng(seed).integers(0, 2, (50 * blocks, COLUMNS)).astype(np.uint8)
    progress = root.progress.after(SHAPE.binner, SHAPE.detector, codes, np.full(len(codes), START))
    return replace(root, progress=progress)


def _levels(root: Root) -> tuple[Level, ...]:
    assert root.progress.evidence.live is not None
    return root.progress.evidence.live.levels


def _assert_same_levels(found: Root, expected: Root) -> None:
    assert len(_levels(found)) == len(_levels(expected)) == LEVELS
    np.testing.assert_equal([vars(level) for level in _levels(found)], [vars(level) for level in _levels(expected)])


@settings(deadline=None, max_examples=examples(40))
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([1, 2, 7, 130])), min_size=1, max_size=6))
def test_processes_that_take_turns_find_each_others_levels(turns: list[tuple[bool, int]]) -> None:
    buffer = _buffer()
    processes = [_begun(buffer), Checkpoint(SHAPE, buffer)]
    expected = processes[0].with_levels(processes[0].read())[0]
    for turn, (other, blocks) in enumerate(turns):
        root, damaged = processes[other].with_levels(processes[other].read())
        assert damaged == []
        _assert_same_levels(root, expected)
        expected = _measured(root, turn, blocks)
        processes[other].commit(expected, {})
    _assert_same_levels(_peer(buffer).with_levels(_peer(buffer).read())[0], expected)


def test_a_process_that_has_not_read_the_levels_leaves_them_alone() -> None:
    buffer = _buffer()
    one, other = _begun(buffer), Checkpoint(SHAPE, buffer)
    one.commit(expected := _measured(one.with_levels(one.read())[0], 1, 40), {})
    assert _levels(other.read()) == ()
    other.commit(replace(other.read(), evaluated_at=START), {})
    found, damaged = one.with_levels(one.read())
    assert damaged == []
    assert found.evaluated_at == START
    _assert_same_levels(found, expected)


def test_only_the_levels_that_changed_are_written() -> None:
    checkpoint = Checkpoint(SHAPE)
    checkpoint.commit(_measured(checkpoint.with_levels(checkpoint.read())[0], 1, 40), {})
    before = checkpoint.read()
    checkpoint.commit(_measured(before, 2, 4), {})  # 40 blocks were a whole number of items of the first four levels
    changed = checkpoint.read().levels.checks != before.levels.checks
    assert np.flatnonzero(changed).tolist() == [0, 1, 2]


@pytest.mark.parametrize("word", [0, 5, -1])
def test_a_damaged_level_begins_again_alone(word: int) -> None:
    buffer = _buffer()
    checkpoint = _begun(buffer)
    checkpoint.commit(expected := _measured(checkpoint.with_levels(checkpoint.read())[0], 1, 40), {})
    other = Checkpoint(SHAPE, buffer)
    other._levels._words[:, 2, word] ^= np.uint64(1)
    root, damaged = other.with_levels(other.read())
    assert damaged == [2]
    assert SHAPE.live is not None
    for place, level in enumerate(_levels(root)):
        source = SHAPE.live.levels if place == 2 else _levels(expected)
        np.testing.assert_equal(vars(level), vars(source[place]))
    other.commit(_measured(root, 2, 8), {})
    again, damaged = _peer(buffer).with_levels(_peer(buffer).read())
    assert damaged == []
    items = [level.items for level in _levels(again)]
    assert items[:4] == [48, 24, 2, 6]


def test_levels_go_on_in_memory() -> None:
    checkpoint = Checkpoint(SHAPE)
    checkpoint.commit(expected := _measured(checkpoint.with_levels(checkpoint.read())[0], 1, 40), {})
    _assert_same_levels(checkpoint.without_pages().read(), expected)


def test_by_hour_there_are_no_levels() -> None:
    hours = np.arange(4_800) // 200 % 24
    baseline = build_baseline({"x": np.sin(hours * 0.26)}, created="2026-01-01T00:00:00Z", hours=hours)
    assert baseline.is_by_hour
    shape = shape_of(baseline, 100)
    assert shape.live is None
    checkpoint = Checkpoint(shape)
    root, damaged = checkpoint.with_levels(checkpoint.read())
    checkpoint.commit(root, {})
    assert (damaged, root.progress.evidence.live) == ([], None)
