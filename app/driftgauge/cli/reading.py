"""The progress bar of commands that read tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def reading(errors: Console, size: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; yields the function that takes the bytes read so far."""
    columns = (TextColumn("reading"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("reading", total=size)
        yield lambda read: progress.update(task, completed=read)
