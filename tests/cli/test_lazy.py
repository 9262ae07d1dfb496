from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = {
    "numpy",
    "scipy",
    "sklearn",
    "skops",
    "pyarrow",
    "pandas",
    "fastapi",
    "uvicorn",
    "pydantic_settings",
    "httpx",
    "yaml",
}
"""Libraries that take a command long to import."""


def imported_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a run of the command imported."""
    code = f"""if True:
        import sys
        from driftgauge.cli.main import main
        sys.argv = ["driftgauge", *{arguments!r}]
        try:
            main()
        except SystemExit:
            pass
        print(*{{name.partition(".")[0] for name in sys.modules}}, file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), (), ("nothing",), ("demo", "--help")], ids=" ".join)
def test_no_heavy_library_is_imported_for_what_needs_none(arguments: tuple[str, ...]) -> None:
    assert imported_by(*arguments) & HEAVY == set()


def test_the_help_of_serve_imports_no_server_and_no_model() -> None:
    assert imported_by("serve", "--help") & (HEAVY - {"pydantic_settings", "numpy"}) == set()


def test_commands_on_baselines_import_neither_databases_of_logs_nor_settings() -> None:
    assert imported_by("baseline", "build", "--help") & {"sqlalchemy", "pydantic_settings"} == set()


def test_a_command_that_needs_a_library_imports_it() -> None:
    assert {"numpy", "pyarrow"} <= imported_by("bundle", "--help")


@pytest.mark.parametrize(
    ("words", "completed"),
    [("driftgauge ser", "serve"), ("driftgauge bundle cr", "create"), ("driftgauge serve --wor", "--workers")],
)
def test_a_shell_completes_commands_and_options(words: str, completed: str) -> None:
    code = "import sys; from driftgauge.cli.main import main; sys.argv = ['driftgauge']; main()"
    asked = {"_DRIFTGAUGE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == [completed]
