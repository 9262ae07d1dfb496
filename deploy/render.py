"""Write the parts of deploy/ that have a source elsewhere; `--check` only says whether they are current.

Rules, targets and dashboards are rendered; the chart has Fluent Bit's configuration from the manifests.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import render

HERE: Final = Path(__file__).parent
FLUENT_BIT: Final = "kubernetes/components/logs/fluent-bit.yaml"
FOLDER: Final = "prometheus-operator/"
NOTE: Final = "# Written by deploy/render.py; change the code it reads, then run `make monitoring`.\n"
TOKEN: Final = "driftgauge-tokens/prometheus"  # noqa: S105  its name
"""The key of a Secret with the token of Prometheus."""
KUSTOMIZE: Final = MonitoringOptions(platform="prometheus-operator", namespace="driftgauge", token_file=TOKEN)
HELM: Final = MonitoringOptions(
    platform="prometheus-operator",
    namespace="release-namespace",
    token_file=TOKEN,
    base_url="http://base-url.invalid",
    grafana_url="http://grafana-url.invalid",
)
"""Values that the chart replaces by those of a release."""


def files() -> dict[str, str]:
    """Return the text of each generated file, by its path in deploy/."""
    kustomize = {
        f"kubernetes/components/monitoring/{name}": NOTE + text for name, text in _resources(KUSTOMIZE).items()
    }
    chart = {f"helm/driftgauge/files/{name}": NOTE + text for name, text in _resources(HELM).items()}
    fluent_bit = (HERE / FLUENT_BIT).read_text(encoding="utf-8")
    return {**kustomize, **chart, "helm/driftgauge/files/fluent-bit.yaml": fluent_bit}


def _resources(options: MonitoringOptions) -> dict[str, str]:
    """Return the rendered resources without their note, by name; who is notified is no part of a deployment."""
    return {
        path.removeprefix(FOLDER): text.partition("\n")[2]
        for path, text in render(options).items()
        if path.startswith(FOLDER) and "alertmanagerconfig" not in path
    }


def main(check: bool) -> int:
    """Write the files, or compare them; returns the exit code."""
    wanted = files()
    if not check:
        for name, text in wanted.items():
            (HERE / name).parent.mkdir(parents=True, exist_ok=True)
            (HERE / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in wanted.items() if not _is_current(HERE / name, text)]
    if stale:
        sys.stderr.write(f"deploy/ is not current: {', '.join(stale)}. Run `make monitoring`.\n")
    return 1 if stale else 0


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
