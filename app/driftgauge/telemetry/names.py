"""Names and units of metrics by the conventions of OpenTelemetry.

A collector that exports to Prometheus turns each back into the name that `/metrics` has: dots become underscores, the
unit and `_total` are added (the specification's chapter on compatibility with Prometheus).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NAMESPACES: Final = (
    "model_feature_",
    "model_ingest_",
    "model_",
    "http_request_",
    "http_",
    "process_",
    "prediction_log_",
    "server_",
    "gpu_",
    "python_",
)
"""What a name begins with, the longest first; its underscores become dots."""
UNITS: Final = {"_seconds": "s", "_bytes": "By", "_celsius": "Cel", "_watts": "W"}
"""Units that names end with, as UCUM writes them."""
RATIO: Final = "_ratio"
TOTAL: Final = "_total"
DIMENSIONLESS: Final = "1"


@dataclass(frozen=True)
class OtelName:
    """Name and unit of a metric; the unit is empty for a plain number such as a PSI or a count of rows."""

    name: str
    unit: str


def otel_name(name: str, kind: str) -> OtelName:
    """Return the name and the unit of a series of `/metrics`.

    >>> otel_name("model_feature_missing_ratio", "gauge")
    OtelName(name='model.feature.missing', unit='1')
    >>> otel_name("process_cpu_seconds_total", "counter")
    OtelName(name='process.cpu', unit='s')
    >>> otel_name("model_feature_psi_threshold", "gauge")
    OtelName(name='model.feature.psi_threshold', unit='')
    """
    namespace = next((own for own in NAMESPACES if name.startswith(own)), "")
    rest = name.removeprefix(namespace)
    if kind == "counter":
        rest = rest.removesuffix(TOTAL)
    units = {**UNITS, **({RATIO: DIMENSIONLESS} if kind == "gauge" else {})}
    suffix = next((own for own in units if rest.endswith(own)), "")  # `prediction_log_bytes` has nothing else left
    return OtelName(namespace.replace("_", ".") + rest.removesuffix(suffix), units.get(suffix, ""))
