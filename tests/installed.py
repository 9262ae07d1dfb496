"""Driftgauge as its users have it: a wheel, built of this checkout and installed in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel, and the libraries of this one."""

    folder: Path
    wheel: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def command(self) -> Path:
        return self.folder / "bin" / "driftgauge"

    @property
    def env(self) -> Mapping[str, str]:
        """The variables of a shell in which the environment is activated; nothing leads to the checkout."""
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {
            **own,
            "VIRTUAL_ENV": str(self.folder),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }


def build_wheel(folder: Path) -> Path:
    """Build the wheel without network and return its path."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Installed:
    """Install a wheel into a new environment that also finds the libraries of this one."""
    venv.create(folder, with_pip=False)
    installed = Installed(folder, wheel)
    pip = [sys.executable, "-m", "pip", "--python", str(installed.python), "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, timeout=120)
    # A line of a .pth file adds a folder, without the .pth files in it: the editable install stays out.
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return installed


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Give an environment with the wheel installed."""
    folder = tmp_path_factory.mktemp("installed")
    return install(build_wheel(folder), folder / "venv")
