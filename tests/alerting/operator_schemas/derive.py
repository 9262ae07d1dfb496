"""Derive the JSON Schemas beside this file from the CRDs of the Prometheus Operator.

The package `cloudcoil-models-prometheus-operator` holds the CRDs as pydantic models. It brings a plugin for pytest,
so it belongs into an environment of its own:

    uv run --no-project --with cloudcoil-models-prometheus-operator==0.80.1.0 tests/alerting/operator_schemas/derive.py
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any, Final

KINDS: Final = {"PrometheusRule": "v1", "ServiceMonitor": "v1", "AlertmanagerConfig": "v1alpha1"}


def strict(schema: Any) -> Any:
    """Return a schema without texts, in which an object has no field that the CRD does not have."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: strict(part) for key, part in schema.items() if not _is_text(key, part)}
    return {**kept, "additionalProperties": False} if "properties" in kept else kept


def _is_text(key: str, part: Any) -> bool:
    return key in ("title", "description", "default") and not isinstance(part, dict)


def main() -> None:
    """Write one schema for each kind."""
    for kind, version in KINDS.items():
        model = getattr(importlib.import_module(f"cloudcoil.models.prometheus_operator.{version}"), kind)
        schema = strict(model.model_json_schema(by_alias=True))
        path = Path(__file__).parent / f"{kind.lower()}.json"
        path.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
