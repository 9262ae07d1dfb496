"""Code and commands of pages, as a reader copies them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent


def page(*path: str) -> str:
    """Return the text of a file of the project."""
    return ROOT.joinpath(*path).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(block: str) -> list[list[str]]:
    """Return the commands of a block, with continued lines joined."""
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]
