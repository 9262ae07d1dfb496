from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import render
from driftgauge.cli.main import app
from driftgauge.common.option import flag, options_of
from typer.testing import CliRunner

NAMES = [field.name for field, _, _ in options_of(MonitoringOptions)]


def rendered(out: Path, *arguments: str) -> dict[str, str]:
    """Give the files of the command that depend on options."""
    done = CliRunner().invoke(app, ["monitoring", "render", "--out", str(out), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return {path: (out / path).read_text(encoding="utf-8") for path in render(MonitoringOptions())}


def test_every_field_is_an_option() -> None:
    assert list(MonitoringOptions.__dataclass_fields__) == NAMES


@pytest.mark.parametrize("width", [80, 120])
def test_help_names_each_option_whole_and_no_python_type(width: int) -> None:
    done = CliRunner().invoke(app, ["monitoring", "render", "--help"], env={"COLUMNS": str(width)})
    for name in NAMES:
        assert re.search(rf"^  {flag(MonitoringOptions, name)} ", done.output, re.MULTILINE), name
    assert not set("<>…") & set(done.output.replace(",…", ""))


def test_without_options_the_files_are_those_of_the_defaults(tmp_path: Path) -> None:
    assert rendered(tmp_path) == render(MonitoringOptions())


def test_options_reach_the_files(tmp_path: Path) -> None:
    given = MonitoringOptions(
        hold="9m",
        targets=("model-1:8000", "model-2:8000"),
        by=("job", "namespace"),
        replica_windows=("5m", "1h"),
        email_to="team@example.org",
        smtp_tls=False,
        compatibility=True,
    )
    arguments = (
        "--hold 9m --target model-1:8000 --target model-2:8000 --by job,namespace --replica-windows 5m,1h "
        "--email-to team@example.org --no-smtp-tls --compatibility"
    )
    assert rendered(tmp_path, *arguments.split()) == render(given)
    assert render(given) != render(replace(given, smtp_tls=True))


@pytest.mark.parametrize(("receiver", "sends"), [((), False), (("--email-to", "team@example.org"), True)])
def test_without_a_receiver_the_command_says_that_no_notifications_are_sent(
    receiver: tuple[str, ...], sends: bool, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["monitoring", "render", "--out", str(tmp_path), *receiver])
    warning = "Alertmanager sends no notifications yet; its page lists the alerts."
    assert (warning not in " ".join(done.stderr.split())) == sends
