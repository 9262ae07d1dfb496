"""Write Grafana's dashboards from source/ into dashboards/; `--check` only says whether they are current."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from source.boards import files

OUT: Final = Path(__file__).parent / "dashboards"


def main(arguments: Sequence[str]) -> int:
    """Write the dashboards, or with `--check` compare them."""
    if "--check" not in arguments:
        OUT.mkdir(exist_ok=True)
        for name, text in files().items():
            (OUT / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in files().items() if not _holds(OUT / name, text)]
    if stale:
        print(f"out of date: {', '.join(stale)}; run monitoring/grafana/dashboards.py", file=sys.stderr)  # noqa: T201
    return 1 if stale else 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
