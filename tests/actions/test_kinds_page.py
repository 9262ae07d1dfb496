"""The page on what actions do, against the settings and the executors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driftgauge.actions.executors.command import VARIABLES
from driftgauge.common.webhook import signature
from driftgauge.settings.action_kinds import PLACEHOLDERS
from driftgauge.settings.options import load

PAGE = (Path(__file__).parents[2] / "docs" / "action-kinds.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", blocks("toml"))
def test_an_example_is_a_file_of_settings_whose_action_is_a_dry_run(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.toml").write_text(text, "utf-8")
    (action,) = load({}, tmp_path / "settings.toml").actions
    assert action.dry_run


def test_the_receiver_of_the_page_verifies_signatures() -> None:
    (text,) = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(text, "action-kinds.md", "exec"), names)  # noqa: S102  the example of our own page
    is_genuine: Callable[[str, bytes, bytes], bool] = names["is_genuine"]
    header = signature(b"key", b"{}", time.time())
    assert is_genuine(header, b"{}", b"key")
    assert not is_genuine(header, b"{ }", b"key")
    assert not is_genuine(header, b"{}", b"other")
    assert not is_genuine(signature(b"key", b"{}", time.time() - 600), b"{}", b"key")


def test_the_page_lists_every_placeholder() -> None:
    rows = dict(re.findall(r"^\| `\{([^}]*)\}` \| (.*) \|$", PAGE, re.MULTILINE))
    assert rows == {"labels.NAME" if name == "labels." else name: text for name, text in PLACEHOLDERS.items()}


def test_the_page_names_every_variable_of_a_command() -> None:
    assert set(re.findall(r"`(ACTION_\w+)`", PAGE)) == {"ACTION_NAME", *(f"ACTION_{own.upper()}" for own in VARIABLES)}
