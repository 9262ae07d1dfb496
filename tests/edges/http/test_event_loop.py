from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from driftgauge.actions.action import ActionFailed
from driftgauge.edges.http.event_loop import on_loop
from driftgauge.errors import LedgerError, Reason, Refused


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread, as a server's does beside those of actions."""
    own = asyncio.new_event_loop()
    thread = threading.Thread(target=own.run_forever)
    thread.start()
    yield own
    own.call_soon_threadsafe(own.stop)
    thread.join()
    own.close()


async def answer() -> str:
    return "done"


async def refuse(error: Exception) -> str:
    raise error


def failed(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, str], seconds: float = 60.0) -> tuple[str, bool]:
    with pytest.raises(ActionFailed) as found:
        on_loop(loop, work, seconds)
    return str(found.value), found.value.retryable


def test_the_result_comes_to_the_thread_that_waits(loop: asyncio.AbstractEventLoop) -> None:
    assert on_loop(loop, answer(), 60.0) == "done"


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (Refused(Reason.VERSION_CONFLICT, "another change is under way"), True),
        (Refused(Reason.BUNDLE_NOT_ALLOWED, "the folder is not allowed"), False),
        (LedgerError("the ledger is locked"), True),
        (ActionFailed("the model has no version before", retryable=False), False),
    ],
)
def test_a_failure_says_whether_the_same_may_succeed_later(
    loop: asyncio.AbstractEventLoop, error: Exception, *, retryable: bool
) -> None:
    assert failed(loop, refuse(error)) == (str(error), retryable)


def test_work_that_takes_too_long_is_cancelled_and_may_be_tried_again(loop: asyncio.AbstractEventLoop) -> None:
    cancelled = threading.Event()

    async def wait() -> str:
        try:
            await asyncio.sleep(3_600.0)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "late"

    assert failed(loop, wait(), 0.05) == ("the server was not ready within 0.05 s", True)
    assert cancelled.wait(60.0)


def test_work_that_the_end_of_the_server_cancels_may_be_tried_again(loop: asyncio.AbstractEventLoop) -> None:
    async def end() -> str:
        raise asyncio.CancelledError

    assert failed(loop, end()) == ("the server is ending", True)


def test_a_loop_that_has_ended_may_be_there_again_after_a_restart() -> None:
    ended = asyncio.new_event_loop()
    ended.close()
    assert failed(ended, answer()) == ("the server is ending", True)
