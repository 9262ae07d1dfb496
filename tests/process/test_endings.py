from __future__ import annotations

import signal

import pytest
from driftgauge.process.endings import STARTUP_FAILURE, describe_exit
from uvicorn import config


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (0, "ended with exit code 0"),
        (3, "ended with exit code 3"),
        (-signal.SIGSEGV, "was ended by SIGSEGV"),
        (-99, "was ended by signal 99"),
    ],
)
def test_an_ending_is_described(exit_code: int, words: str) -> None:
    assert describe_exit(exit_code) == words


def test_a_failed_start_has_the_exit_code_of_uvicorn() -> None:
    assert config.STARTUP_FAILURE == STARTUP_FAILURE
