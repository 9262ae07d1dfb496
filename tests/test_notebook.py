"""examples/notebook.ipynb runs from its first cell to its last, and is kept without what it printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import nbformat
import pytest
from nbclient import NotebookClient

from tests.pages import page

SOURCE: Final = page("examples", "notebook.ipynb")


def source() -> Any:
    """Return the notebook as it is kept."""
    return nbformat.reads(SOURCE, as_version=4)  # type: ignore[no-untyped-call]  # typed in part


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give the notebook after a kernel of its own has run it."""
    notebook = source()
    folder: Path = tmp_path_factory.mktemp("notebook")
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return notebook


def shown(notebook: Any, source: str, kind: str) -> str:
    """Return what the cell that ends with this source shows."""
    (cell,) = [cell for cell in code_cells(notebook) if source in cell.source]
    (output,) = [output for output in cell.outputs if output.output_type == "execute_result"]
    return str(output.data[kind])


def test_it_is_kept_without_outputs() -> None:
    cells = code_cells(source())
    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.long
def test_the_monitor_is_quiet_until_an_input_breaks(executed: Any) -> None:
    assert "<DriftReport: normal" in shown(executed, "\nlive = ", "text/plain")
    assert "<DriftReport: drift_detected (critical)" in shown(executed, "broken = ", "text/plain")


@pytest.mark.long
def test_the_check_is_shown_as_a_table_that_names_the_broken_input(executed: Any) -> None:
    html = shown(executed, "report = ", "text/html")
    assert "<table" in html
    assert "drift_detected" in html
    assert "amount" in html
    assert "psi_debiased" in shown(executed, "report.to_frame()", "text/plain")


@pytest.mark.long
def test_nothing_is_printed_as_a_warning(executed: Any) -> None:
    streams = [output for cell in code_cells(executed) for output in cell.outputs if output.output_type == "stream"]
    assert streams == []
