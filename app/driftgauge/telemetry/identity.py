"""Who sends: the resource that all metrics and traces name, and since when its counters count."""

from __future__ import annotations

import contextlib
import math
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson
from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from driftgauge.common.safe_files import read_bounded

SERVICE: Final = "driftgauge"
FILE: Final = "instance.json"


@dataclass(frozen=True)
class Instance:
    """One server with all its workers; both stay as long as its state does."""

    id: str
    since: float
    """When its counters began, seconds since 1970."""


def instance_of(folder: Path | None, now: float) -> Instance:
    """Return the identity that a folder keeps, a new one if it has none; OSError if it cannot be kept."""
    new = Instance(str(uuid.uuid4()), now)
    if folder is None:
        return new
    path, own = folder / FILE, folder / f".{FILE}.{new.id}"
    own.write_bytes(orjson.dumps(asdict(new)))
    try:
        _keep(own, path)
        stored = orjson.loads(read_bounded(path, 4_096))
        found = Instance(str(stored["id"]), float(stored["since"]))
        if not math.isfinite(found.since):
            raise ValueError("no time")
        return found
    except (ValueError, TypeError, KeyError):  # damaged
        own.replace(path)
        return new
    finally:
        own.unlink(missing_ok=True)


def _keep(own: Path, path: Path) -> None:
    """Give a file its name if nobody has it: of several workers that start, one is the first."""
    try:
        os.link(own, path)
    except FileExistsError:
        return
    except OSError:  # the disk knows no hard links
        with contextlib.suppress(FileExistsError), path.open("xb") as file:
            file.write(own.read_bytes())


def resource_of(instance: Instance, version: str, attributes: Mapping[str, str]) -> Resource:
    """Return the resource: the settings' attributes before the environment's, and those before ours."""
    ours = {"service.name": SERVICE, "service.version": version, "service.instance.id": instance.id}
    environment = OTELResourceDetector().detect()  # OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME
    return Resource.create().merge(Resource(ours)).merge(environment).merge(Resource(dict(attributes)))
