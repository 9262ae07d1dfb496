"""Bundles that may be loaded while the server runs: where they lie, and what they hold."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from driftgauge.errors import BundleError, Reason, Refused

EDITABLE: Final = "constraints.yaml"
"""A file of a bundle that may be edited while the version stays the same."""


def content_digest(bundle: Path) -> str:
    """Return a digest of the names and the content of a bundle's files; BundleError if they cannot be read.

    The constraints are left out.
    """
    whole = hashlib.sha256()
    try:
        for path in sorted(Path(at, name) for at, _, names in os.walk(bundle) for name in names):
            if path == bundle / EDITABLE:
                continue
            with path.open("rb") as file:
                own = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{path.relative_to(bundle).as_posix()}\0{own}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise BundleError(f"cannot read the bundle {bundle}: {error.strerror}") from error
    return whole.hexdigest()


def allowed_bundle(text: str, folders: Sequence[Path]) -> Path:
    """Return the resolved folder of a bundle; Refused unless it lies in one of the folders.

    A relative path counts from the first of them.
    """
    if "\0" in text or not text:
        raise Refused(Reason.INVALID_VERSION, "bundle: give the path of a folder", {"field": "bundle"})
    roots = [folder.resolve() for folder in folders]
    if not roots:
        raise Refused(
            Reason.BUNDLE_NOT_ALLOWED,
            "bundle: no folder is set from which bundles may be loaded: set bundle_folders",
            {"field": "bundle"},
        )
    found = Path(os.path.realpath(roots[0] / text))
    if not any(found != root and found.is_relative_to(root) for root in roots):
        raise Refused(
            Reason.BUNDLE_NOT_ALLOWED,
            "bundle: it lies in none of the folders from which bundles may be loaded: "
            "move it there, or add its folder to bundle_folders",
            {"field": "bundle"},
        )
    return found
