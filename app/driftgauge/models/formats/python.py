"""Models of the operator's own code, named as MODULE:OBJECT; they are trusted because the operator names them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from driftgauge.errors import BundleError
from driftgauge.models.formats.imported import adapted, described, made
from driftgauge.models.formats.spec import ModelSpec
from driftgauge.models.model_file import UntrustedTypes

__all__ = ["PREFIX", "adapted", "described", "load", "trusted_as"]

PREFIX: Final = "python:"
"""What an import string begins with where a file could stand as well."""


def trusted_as(spec: ModelSpec) -> str:
    """Return how the operator names an object that a bundle may import."""
    return f"{PREFIX}{spec.object}"


def load(path: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
    """Import an object, or call the function that makes it; BundleError if the operator has not named it."""
    if trusted_as(spec) not in set(trusted):
        raise UntrustedTypes("the bundle", [trusted_as(spec)])
    module, _, name = (spec.object or "").partition(":")
    here = os.getcwd()
    if here not in sys.path:  # as gunicorn and uvicorn do; last, so that it hides no installed module
        sys.path.append(here)
    try:
        return made(attrgetter(name)(import_module(module)))
    except (ImportError, AttributeError) as error:
        raise BundleError(
            f"cannot import {spec.object}: {error}. The module must be installed, in PYTHONPATH or in the current "
            "folder of every process that loads the bundle"
        ) from error
    except Exception as error:  # the operator's code may raise anything
        raise BundleError(f"{spec.object} cannot be loaded ({type(error).__name__}: {error})") from error
