"""`driftgauge monitoring …`: the command line of the rendered files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.help import CommandLine

monitoring_app = CommandLine("Write the files for Prometheus, Alertmanager and Grafana.")


@monitoring_app.command("render")
@derived_options
def monitoring_render(
    out: Annotated[Path, typer.Option(help="Folder to write into.", file_okay=False, metavar="FOLDER")],
    options: MonitoringOptions,
) -> None:
    """Write the configuration of Prometheus and Alertmanager, their rules, dashboards and runbooks.

    Neither program reads the environment or merges files, so every value is written out. Secrets stay in files of
    their own. docs/alerting.md says how to use the result.
    """
    written = write(options, out)
    errors = console(stderr=True)
    errors.print(f"wrote {len(written)} files to {out}", soft_wrap=True)
    if not (options.slack_url_file or options.email_to or options.webhook_url):
        errors.print(
            "Alertmanager sends no notifications yet; its page lists the alerts. "
            "Give --slack-url-file, --email-to or --webhook-url.",
            soft_wrap=True,
        )
