"""The exceptions of Driftgauge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from driftgauge.errors.reasons import CONSTRAINT_OF, Reason


class DriftgaugeError(Exception):
    """Base class of all exceptions of Driftgauge."""


class Refused(DriftgaugeError):
    """Input that is refused: a reason code, a message that says what to do, and the place."""

    def __init__(self, reason: Reason, message: str, detail: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.reason: Final = reason
        self.message: Final = message
        self.detail: Final = dict(detail or {})
        self.violations: Mapping[str, int] = {CONSTRAINT_OF[reason]: 1} if reason in CONSTRAINT_OF else {}
        """Rows that violate each constraint on rows as they are sent; the first one where they were not counted."""
        self.rows = 1
        """Rows that are refused together; 1 where they were not counted."""

    @property
    def constraint(self) -> str | None:
        """The constraint on rows as they are sent that the reason is about; None for another reason."""
        return CONSTRAINT_OF.get(self.reason)


def count_refused(error: Refused, violations: Mapping[str, int], rows: int) -> None:
    """Note in an error how many of the refused rows violate each constraint, if any does."""
    error.violations, error.rows = violations or error.violations, rows


def count_all_refused(error: Refused, rows: int) -> None:
    """Note in an error that all refused rows violate its constraint."""
    count_refused(error, dict.fromkeys(error.violations, rows), rows)


_OWN_WORDS: Final = 200
"""Most characters of a model's own message in an error."""


class ModelFailed(DriftgaugeError):
    """The model raised on accepted rows."""

    @classmethod
    def of(cls, error: BaseException) -> ModelFailed:
        """Return the failure, with the first line of the model's message in quotes."""
        own = next(iter(str(error).strip().splitlines()), "")[:_OWN_WORDS]
        said = f': "{own}"' if own else ""
        return cls(f"the model raised {type(error).__name__}{said}")


class AboutError(DriftgaugeError, ValueError):
    """A text about the model cannot be used; the message names the field and says what to do."""


class BundleError(DriftgaugeError):
    """A model bundle cannot be created or loaded; the message says what to do."""


class MonitoringError(DriftgaugeError):
    """Prometheus or Alertmanager cannot be configured or started as asked; the message says what to do."""


class PrometheusError(DriftgaugeError):
    """A Prometheus cannot be asked; the message says what to do."""


class BaselineError(DriftgaugeError, ValueError):
    """A baseline cannot be built or read; the message says what to do."""


class ConstraintsError(DriftgaugeError, ValueError):
    """Constraints that cannot hold, or a file of them that cannot be used."""


class TableError(DriftgaugeError, ValueError):
    """A table cannot be used; the message says what to do."""


class ColumnError(TableError):
    """A column cannot be read as its kind."""

    def __init__(self, name: str, problem: str, row: int | None = None) -> None:
        """Take the column, the problem, and for a cell its row among those that were read, from 1."""
        super().__init__(f"{name}: {problem}" if row is None else f"{name}, row {row:,}: {problem}")
        self.name: Final = name
        self.problem: Final = problem
        self.row: Final = row


class SettingsError(DriftgaugeError, ValueError):
    """Settings are invalid; the message names each of them."""


class CheckError(DriftgaugeError, ValueError):
    """Tables cannot be compared as requested; the message says what to do."""


class ProfileError(DriftgaugeError, ValueError):
    """Profiles cannot be made, read or merged; the message says what to do."""


class StateError(DriftgaugeError):
    """State files cannot be read or deleted; the message says what to do."""


class ReleaseError(DriftgaugeError):
    """A running server did not change or list its versions; the message says why."""


class DiagnosisError(DriftgaugeError):
    """A running server did not say what is wrong with its models; the message says why."""


class RegistryError(DriftgaugeError, ValueError):
    """A registry of models cannot be used as asked; the message says what to do."""


class LedgerError(StateError):
    """The ledger of releases cannot be read or written; the message says what to do."""


class LedgerUnavailable(LedgerError):
    """The folder of the ledger of releases cannot be used at all, such as one that is read-only."""


class ActionsError(StateError):
    """The history of actions cannot be read or written; the message says what to do."""


class ActionsUnavailable(ActionsError):
    """The folder of the history of actions cannot be used at all, such as one that is read-only."""


class PredictionLogError(DriftgaugeError):
    """The prediction log cannot be opened, read or written; the message says what to do."""


class PredictionLogAway(PredictionLogError):
    """The database of the prediction log does not answer, is locked, or has no room: it may work later."""


class PredictionLogDamaged(PredictionLogError):
    """The file of the prediction log is damaged."""

    def __init__(self, message: str, file: Path) -> None:
        super().__init__(message)
        self.file: Final = file


class PredictionLogDayDamaged(PredictionLogError):
    """A Parquet file of the prediction log is damaged; the rest of the log can be read."""


class PredictionLogReplaced(PredictionLogError):
    """The prediction log goes on in another file, because this one is damaged: open it again."""


class IngestError(DriftgaugeError):
    """What ingestion keeps beside the rows cannot be read or written; the message says why."""


class DemoError(DriftgaugeError):
    """The demo cannot start or go on; the message says what to do."""
