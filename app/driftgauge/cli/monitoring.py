"""`driftgauge monitoring …`: the command line of the rendered files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import write
from driftgauge.common.comma_lists import comma_list

monitoring_app = typer.Typer()


@monitoring_app.callback()
def monitoring() -> None:
    """Set up Prometheus, Alertmanager and Grafana."""


@monitoring_app.command("render")
def monitoring_render(
    out: Annotated[Path, typer.Option(help="Folder to write into.", file_okay=False)],
    scrape_interval: Annotated[str, typer.Option(help="Time between scrapes and evaluations of rules.")] = "15s",
    window: Annotated[str, typer.Option(help="How long a gauge is looked back at before it can alert.")] = "5m",
    hold: Annotated[str, typer.Option("--for", help="How long a condition holds before its alert fires.")] = "5m",
    base_url: Annotated[str, typer.Option(help="Address of the server, as people reach it.")] = "http://localhost:8000",
    runbook_url: Annotated[
        str | None, typer.Option(help="Folder of the runbooks.", show_default="BASE_URL/runbooks")
    ] = None,
    grafana_url: Annotated[str, typer.Option(help="Address of Grafana, as people reach it.")] = "http://localhost:3000",
    target: Annotated[
        list[str] | None,
        typer.Option(help="A server to scrape, as Prometheus reaches it; repeatable.", show_default="app:8000"),
    ] = None,
    prometheus: Annotated[str, typer.Option(help="Prometheus, as it reaches itself.")] = "localhost:9090",
    alertmanager: Annotated[str, typer.Option(help="Alertmanager, as Prometheus reaches it.")] = "alertmanager:9093",
    job: Annotated[str, typer.Option(help="Name of the servers' scrape job.")] = "driftgauge",
    by: Annotated[str, typer.Option(help="Labels of targets that tell deployments apart.", metavar="LABEL,…")] = "job",
    slack_url_file: Annotated[
        str | None, typer.Option(help="File with the address of a Slack webhook, as Alertmanager reaches it.")
    ] = None,
    slack_channel: Annotated[str | None, typer.Option(help="Channel, if not the webhook's own.")] = None,
    email_to: Annotated[str | None, typer.Option(help="Address that is written to.")] = None,
    email_from: Annotated[str, typer.Option(help="Address that it comes from.")] = "driftgauge@localhost",
    smtp_host: Annotated[str, typer.Option(help="Mail server, host:port.")] = "localhost:25",
    smtp_user: Annotated[str | None, typer.Option(help="User at the mail server.")] = None,
    smtp_password_file: Annotated[
        str | None, typer.Option(help="File with the user's password, as Alertmanager reaches it.")
    ] = None,
    smtp_tls: Annotated[bool, typer.Option(help="Whether the mail server must speak TLS.")] = True,
    webhook_url: Annotated[str | None, typer.Option(help="Address that notifications are posted to as JSON.")] = None,
    group_wait: Annotated[str, typer.Option(help="How long the first notification waits for others.")] = "30s",
    group_interval: Annotated[str, typer.Option(help="Time between notifications of changes.")] = "5m",
    repeat_interval: Annotated[str, typer.Option(help="Time after which a critical alert is sent again.")] = "4h",
    replica_windows: Annotated[
        str,
        typer.Option(help="Times over which the bins of all replicas are added up; fewer is cheaper.", metavar="W,…"),
    ] = "5m,1h,24h",
    compatibility: Annotated[
        bool,
        typer.Option("--compatibility", help="Also record feature_psi_score and model_prediction_score."),
    ] = False,
) -> None:
    """Write the configuration of Prometheus and Alertmanager, their rules, dashboards and runbooks.

    Neither program reads the environment or merges files: what differs from the defaults is written out. Secrets stay
    in files of their own. docs/alerting.md says how to use the result.
    """
    options = MonitoringOptions(
        scrape_interval=scrape_interval,
        window=window,
        hold=hold,
        base_url=base_url,
        runbook_url=runbook_url,
        grafana_url=grafana_url,
        targets=tuple(target or MonitoringOptions.targets),
        prometheus=prometheus,
        alertmanager=alertmanager,
        job=job,
        by=tuple(comma_list(by)),
        slack_url_file=slack_url_file,
        slack_channel=slack_channel,
        email_to=email_to,
        email_from=email_from,
        smtp_host=smtp_host,
        smtp_user=smtp_user,
        smtp_password_file=smtp_password_file,
        smtp_tls=smtp_tls,
        webhook_url=webhook_url,
        group_wait=group_wait,
        group_interval=group_interval,
        repeat_interval=repeat_interval,
        replica_windows=tuple(comma_list(replica_windows)),
        compatibility=compatibility,
    )
    written = write(options, out)
    console = Console(stderr=True, markup=False, emoji=False)
    console.print(f"wrote {len(written)} files to {out}")
    if not (slack_url_file or email_to or webhook_url):
        given = "--slack-url-file, --email-to or --webhook-url"
        console.print(f"no receiver is given, alerts show at Alertmanager's own page: {given}", soft_wrap=True)
