"""What was measured of a server, a row and a series: cells of benchmarks/README.md that docs/scaling.md uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

README: Final = "../benchmarks/README.md"


@dataclass(frozen=True)
class Constant:
    """A number that was measured, and the cell that has it."""

    what: str
    cell: str
    """As it stands in the table."""
    unit: str
    section: str
    """The heading in benchmarks/README.md."""
    row: str
    """How the row of the table begins."""

    @property
    def value(self) -> float:
        """Return the number; what follows it in the cell is its range."""
        return float(self.cell.partition(" ")[0].replace(",", ""))

    @property
    def link(self) -> str:
        """Return a link to the section."""
        anchor = "".join(letter for letter in self.section.lower() if letter.isalnum() or letter in " -")
        return f"[{self.section}]({README}#{anchor.replace(' ', '-')})"


REQUEST: Final = Constant(
    "CPU time of a request of one row, 30 features, two workers", "105.9", "µs", "Workers", "| 2 | 64 each |"
)
LOG: Final = Constant("CPU time of a row in the prediction log", "12.3", "µs", "Prediction log", "| 1 | 12.3 |")
LOG_ROW: Final = Constant("disk of a row in the prediction log", "352", "bytes", "Prediction log", "| 1 | 12.3 |")
LIBRARY: Final = Constant(
    "CPU time of a row in the library, arrays of 100 rows",
    *("2.12", "µs", "Library", "| driftgauge.Monitor | array of 100; files |"),
)
HTTP: Final = Constant(
    "CPU time of a row over HTTP, 500 rows a request", "10.8", "µs", "Ingestion", "| own, JSON array of lists |"
)
KAFKA: Final = Constant("CPU time of a row from Kafka", "11.7", "µs", "Ingestion", "| own, lists |")
KAFKA_WIDE: Final = Constant(
    "CPU time of a row from Kafka, three consumers with profiles",
    *("20.3 (19.6–21.7)", "µs", "Kafka, consumers that share 12 partitions", "| 3 | 12 |"),
)
CHECK: Final = Constant(
    "CPU time of a row in `check` of Parquet", "3.66", "µs", "Large tables", "| `check`, streamed |"
)
TABLE_SIZE: Final = Constant("size of 3 million rows as Parquet", "551", "MB", "Large tables", "| 3,000,000 |")
WORKER: Final = Constant("memory of a worker more", "42", "MiB (PSS)", "Start of workers", "| 4 | 3.68 |")
WORKER_STATE: Final = Constant(
    "memory of a model's state in a worker more",
    "8.0",
    "MiB (PSS)",
    "State",
    "| 30 columns, 2 workers: PSS, MiB each |",
)
SERIES: Final = Constant("series of a server of one model", "2,132", "", "Many models", "| 1 |")
SERIES_OF_MANY: Final = Constant("series of a server of 100 models", "198,352", "", "Many models", "| 100 |")
MEMORY: Final = Constant("memory of a server of one model", "235", "MiB", "Many models", "| 1 |")
MEMORY_OF_MANY: Final = Constant("memory of a server of 100 models", "3,088", "MiB", "Many models", "| 100 |")
SCRAPE_OF_TEN: Final = Constant("CPU time of a scrape of 10 models", "30.2", "ms", "Many models", "| 10 |")
IDLE_OF_MANY: Final = Constant("100 models without rows", "57.70", "% of a core", "Many models", "| 100 |")
CONSTANTS: Final = (
    *(REQUEST, LOG, LIBRARY, HTTP, KAFKA, KAFKA_WIDE, CHECK, LOG_ROW, TABLE_SIZE),
    *(IDLE_OF_MANY, SCRAPE_OF_TEN, MEMORY, MEMORY_OF_MANY, WORKER, WORKER_STATE, SERIES, SERIES_OF_MANY),
)

MICRO: Final = 1e-6
GIB_OF_MIB: Final = 1 / 1024
MANY: Final = 100
REQUEST_SECONDS: Final = REQUEST.value * MICRO
LOG_SECONDS: Final = LOG.value * MICRO
LIBRARY_SECONDS: Final = LIBRARY.value * MICRO
HTTP_SECONDS: Final = HTTP.value * MICRO
KAFKA_SECONDS: Final = KAFKA.value * MICRO
KAFKA_WIDE_SECONDS: Final = KAFKA_WIDE.value * MICRO
TABLE_SECONDS: Final = CHECK.value * MICRO
TABLE_BYTES: Final = TABLE_SIZE.value * 1e6 / 3e6
LOG_BYTES: Final = LOG_ROW.value
EVALUATION_SHARE: Final = IDLE_OF_MANY.value / 100.0 / MANY
"""Cores for a model without rows: it is evaluated every 5 s."""
SCRAPE_SECONDS: Final = SCRAPE_OF_TEN.value / 1e3 / 10
"""Of one model."""
GIB_OF_MODEL: Final = (MEMORY_OF_MANY.value - MEMORY.value) / (MANY - 1) * GIB_OF_MIB
GIB_OF_SERVER: Final = MEMORY.value * GIB_OF_MIB - GIB_OF_MODEL
GIB_OF_WORKER: Final = WORKER.value * GIB_OF_MIB
GIB_OF_WORKER_STATE: Final = WORKER_STATE.value * GIB_OF_MIB
SERIES_OF_MODEL: Final = (SERIES_OF_MANY.value - SERIES.value) / (MANY - 1)
SERIES_OF_SERVER: Final = SERIES.value - SERIES_OF_MODEL
PROMETHEUS_BYTES: Final = 3.5 * 1024
"""Of a series in the head of Prometheus: an estimate, see docs/scaling.md."""
