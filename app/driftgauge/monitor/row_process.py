"""Compares whole rows in a process of the lowest priority, which ends after a time.

The process is this module: `python -m driftgauge.monitor.row_process SECONDS`. It reads the rows from its standard
input and writes the report to its standard output.
"""

from __future__ import annotations

import os
import pickle
import resource
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Final

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.errors import DriftgaugeError

NICE: Final = 19
_ONE_THREAD: Final = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class RowsNotCompared(DriftgaugeError):
    """Whole rows could not be compared."""


class ComparisonLate(RowsNotCompared):
    """The comparison took too long and was killed."""


class RowProcess:
    """Starts a process for each comparison, one at a time."""

    def __init__(self, seconds: float) -> None:
        """Kill a process that takes longer than this."""
        self.seconds: Final = seconds
        self._lock: Final = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def compare(self, baseline: Baseline, reference: FloatArray, current: FloatArray, seed: int) -> str:
        """Return the text of the report on rows, shapes [n, columns]; see `compare_rows`.

        Raises ComparisonLate after the time, RowsNotCompared if the process fails or `close` was called.
        """
        compared = replace(baseline, novelty=None)  # reading a fitted detector would take seconds
        sent = pickle.dumps((compared, reference, current, seed), pickle.HIGHEST_PROTOCOL)
        process = self._started()
        try:
            answer, said = process.communicate(sent, self.seconds)
        except subprocess.TimeoutExpired as error:
            process.kill()
            if process.stdin is not None:
                with suppress(BrokenPipeError):  # what it has not read
                    process.stdin.close()
            process.wait()
            raise ComparisonLate(f"the comparison took longer than {self.seconds:g} s and was killed") from error
        finally:
            self._running = None
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        if process.returncode:
            last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise RowsNotCompared(f"the comparison ended with {process.returncode}: {last[:500]}")
        return answer.decode()

    def close(self) -> None:
        """End the process that runs, and start no other."""
        with self._lock:
            self._is_closed = True
            if (running := self._running) is not None:
                running.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", __name__, str(int(self.seconds) + 1)]
        with self._lock:
            if self._is_closed:
                raise RowsNotCompared("the server is stopping")
            self._running = subprocess.Popen(  # noqa: S603  # of our own
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **_ONE_THREAD},
            )
            return self._running


def main() -> None:
    """Compare the rows of the standard input, as `RowProcess` sends them."""
    os.nice(NICE)
    seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))  # if nobody is left who would kill it

    import numpy as np

    from driftgauge.drift.multivariate.compared import report_text
    from driftgauge.drift.multivariate.report import compare_rows

    baseline, reference, current, seed = pickle.load(sys.stdin.buffer)  # noqa: S301  # of the server that started it
    report = compare_rows(baseline, reference, current, np.random.default_rng(seed))
    sys.stdout.write(report_text(report))


if __name__ == "__main__":
    main()
