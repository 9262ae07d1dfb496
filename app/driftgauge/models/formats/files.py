"""Model files of other libraries: read whole, up to a size, before the library sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from driftgauge.common.safe_files import read_bounded
from driftgauge.errors import BundleError
from driftgauge.models.formats.spec import ModelSpec

MOST_BYTES: Final = 8 << 30
"""Largest model file that is read."""


def content_of(path: Path, spec: ModelSpec) -> bytes:
    """Return the content of a model's file; BundleError if it cannot be read, or is not the one that the bundle names.

    Libraries of C++ may crash the process on a damaged file.
    """
    try:
        content = read_bounded(path, MOST_BYTES)
    except OSError as error:
        raise BundleError(f"cannot read the model {path}: {error.strerror or error}") from error
    if spec.sha256 is not None and sha256(content).hexdigest() != spec.sha256:
        raise BundleError(
            f"the model {path} is not the file that the bundle was made with: it is damaged or was replaced; copy the "
            "bundle again, or create it again"
        )
    return content


def refuse_truncated(path: Path, *, is_whole: bool) -> None:
    """Raise BundleError for a file that lacks its end."""
    if not is_whole:
        raise BundleError(f"cannot read the model {path}: it is truncated; copy it again, or save the model again")


@contextmanager
def reading(path: Path, library: str) -> Iterator[None]:
    """Turn what a library raises about a file into a BundleError."""
    try:
        yield
    except BundleError:
        raise
    except Exception as error:  # libraries raise anything on malformed content
        said = next(iter(str(error).strip().splitlines()), "")[:200]
        raise BundleError(
            f"cannot read the model {path}: {library} does not accept it "
            f'({type(error).__name__}: "{said}"); it is damaged, of another format, or from a newer version'
        ) from error
