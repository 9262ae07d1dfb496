from __future__ import annotations

import gc

import pytest
from driftgauge.common.garbage import without_collections


def fails() -> None:
    with without_collections():
        assert not gc.isenabled()
        with without_collections():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise ZeroDivisionError


def test_cycles_are_searched_again_however_the_work_ends() -> None:
    with pytest.raises(ZeroDivisionError):
        fails()
    assert gc.isenabled()


def test_a_program_without_collections_stays_so() -> None:
    gc.disable()
    try:
        with without_collections():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
