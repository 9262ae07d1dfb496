"""Files that are replaced as a whole, also while several processes replace the same one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a file to write, which then takes the place of another.

    Its name is hidden and not used by anyone else. It is deleted if the block raises.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
