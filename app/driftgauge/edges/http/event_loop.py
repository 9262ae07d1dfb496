"""Work of the event loop that actions wait for in a thread of their own."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Coroutine
from typing import Any, TypeVar

from driftgauge.actions.action import ActionFailed
from driftgauge.errors import DriftgaugeError, Reason, Refused

T = TypeVar("T")


def on_loop(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Return the result of work of the event loop; ActionFailed if it fails or takes too long."""
    try:
        running = asyncio.run_coroutine_threadsafe(work, loop)
    except RuntimeError as error:  # the loop has ended
        work.close()
        raise ActionFailed("the server is ending", retryable=True) from error
    try:
        return running.result(seconds)
    except DriftgaugeError as error:
        raise failure(error) from error
    except concurrent.futures.CancelledError as error:
        raise ActionFailed("the server is ending", retryable=True) from error
    except TimeoutError as error:
        running.cancel()
        raise ActionFailed(f"the server was not ready within {seconds:g} s", retryable=True) from error


def failure(error: DriftgaugeError) -> ActionFailed:
    """Return the failure of an action; what conflicts with other versions now may pass, and so may a locked ledger."""
    if isinstance(error, ActionFailed):
        return error
    lasting = isinstance(error, Refused) and error.reason is not Reason.VERSION_CONFLICT
    return ActionFailed(str(error), retryable=not lasting)
