"""Bundles of several versions of one model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path


def versions_of(folder: Path, target: Path, versions: Iterable[str]) -> list[Path]:
    """Copy a bundle once for each version, into folders of these names."""
    made = []
    for version in versions:
        own = target / version
        shutil.copytree(folder, own)
        info = json.loads((own / "bundle.json").read_text("utf-8"))
        (own / "bundle.json").write_text(json.dumps({**info, "version": version}), encoding="utf-8")
        made.append(own)
    return made


def break_bundle(folder: Path) -> None:
    """Let a bundle promise other scores than its model gives."""
    path = folder / "bundle.json"
    info = json.loads(path.read_text("utf-8"))
    for sample in info["samples"]:
        sample["score"] = 1.0 - sample["score"]
    path.write_text(json.dumps(info), encoding="utf-8")


def drop_sample(folder: Path) -> None:
    """Take the first sample from a bundle."""
    path = folder / "bundle.json"
    info = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**info, "samples": info["samples"][1:]}), encoding="utf-8")
