"""Every reason code: at once the `code` of an error's body and the `reason` label of its metric."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why something was refused, failed or lost."""

    # a request that is refused
    CROSS_SITE = "cross_site"
    HOST_NOT_ALLOWED = "host_not_allowed"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    DAMAGED_ENCODING = "damaged_encoding"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    BODY_TOO_LARGE = "body_too_large"
    UNKNOWN_SHAPE = "unknown_shape"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"
    WRONG_FEATURE_COUNT = "wrong_feature_count"
    UNKNOWN_FEATURE = "unknown_feature"
    MISSING_FEATURE = "missing_feature"
    UNSEEN_CATEGORY = "unseen_category"
    MODEL_REJECTED_ROW = "model_rejected_row"
    EMPTY_BATCH = "empty_batch"
    TOO_MANY_ROWS = "too_many_rows"
    INVALID_TIMESTAMP = "invalid_timestamp"
    INVALID_PREDICTION_ID = "invalid_prediction_id"
    OVERLOADED = "overloaded"
    # a prediction that fails
    MODEL_FAILED = "model_failed"
    # an observation that is lost
    MONITORING_FAILED = "monitoring_failed"
    # an observation whose time is not believed
    AHEAD_OF_ARRIVAL = "ahead_of_arrival"
    # state that could not be used as it was found
    POWER_LOSS = "power_loss"
    STATE_DAMAGED = "state_damaged"
    STATE_TRUNCATED = "state_truncated"
    STATE_FOREIGN = "state_foreign"
    # a connection or request that is refused before it is known what it asks
    MALFORMED_HTTP = "malformed_http"
    REQUEST_TIMEOUT = "request_timeout"
    URL_TOO_LONG = "url_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    # a connection that is closed before its client closes it
    ANSWER_NOT_READ = "answer_not_read"
    IDLE_EVICTED = "idle_evicted"
    SLOW_EVICTED = "slow_evicted"
    # the server itself
    NOT_READY = "not_ready"
    NOT_FOUND = "not_found"
    UNKNOWN_WINDOW = "unknown_window"
    MONITORING_DISABLED = "monitoring_disabled"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    INTERNAL_ERROR = "internal_error"


REJECTIONS: Final = (
    Reason.CROSS_SITE,
    Reason.HOST_NOT_ALLOWED,
    Reason.UNSUPPORTED_ENCODING,
    Reason.DAMAGED_ENCODING,
    Reason.NOT_UTF8,
    Reason.NOT_JSON,
    Reason.BODY_TOO_LARGE,
    Reason.UNKNOWN_SHAPE,
    Reason.WRONG_TYPE,
    Reason.NOT_FINITE,
    Reason.WRONG_FEATURE_COUNT,
    Reason.UNKNOWN_FEATURE,
    Reason.MISSING_FEATURE,
    Reason.UNSEEN_CATEGORY,
    Reason.MODEL_REJECTED_ROW,
    Reason.EMPTY_BATCH,
    Reason.TOO_MANY_ROWS,
    Reason.INVALID_TIMESTAMP,
    Reason.INVALID_PREDICTION_ID,
    Reason.OVERLOADED,
)
"""Reasons for which a request to predict is refused."""
FAILURES: Final = (Reason.MODEL_FAILED,)
"""Reasons for which an accepted prediction fails."""
DROPS: Final = (Reason.MONITORING_FAILED,)
"""Reasons for which an observation is lost."""
HANG_UPS: Final = (
    Reason.MALFORMED_HTTP,
    Reason.REQUEST_TIMEOUT,
    Reason.URL_TOO_LONG,
    Reason.HEADERS_TOO_LARGE,
    Reason.METHOD_NOT_ALLOWED,
    Reason.TOO_MANY_CONNECTIONS,
    Reason.ANSWER_NOT_READ,
    Reason.IDLE_EVICTED,
    Reason.SLOW_EVICTED,
)
"""Reasons for which the server ends a connection."""
TURNED_AWAY: Final = (Reason.TOO_MANY_CONNECTIONS, Reason.SLOW_EVICTED)
"""Those of them that an honest client may meet, because there was no place for it."""
RECOVERIES: Final = (Reason.POWER_LOSS, Reason.STATE_DAMAGED, Reason.STATE_TRUNCATED, Reason.STATE_FOREIGN)
"""Reasons for which a state is built anew."""


class DriftgaugeError(Exception):
    """Base of every exception that Driftgauge raises itself."""


class Refused(DriftgaugeError):
    """Input that cannot be used: a reason code, a sentence that says what to do, and where."""

    def __init__(self, reason: Reason, message: str, detail: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.reason: Final = reason
        self.message: Final = message
        self.detail: Final = dict(detail or {})


_OWN_WORDS: Final = 200
"""Characters of a model's own message that are repeated."""


class ModelFailed(DriftgaugeError):
    """The model raised on rows that had been accepted."""

    @classmethod
    def of(cls, error: BaseException) -> ModelFailed:
        """Return the failure, with the first line of the model's own words in quotes."""
        own = next(iter(str(error).strip().splitlines()), "")[:_OWN_WORDS]
        said = f': "{own}"' if own else ""
        return cls(f"the model raised {type(error).__name__}{said}")


class BundleError(DriftgaugeError):
    """A model bundle cannot be created or loaded; the message says what to do."""


class MonitoringError(DriftgaugeError):
    """Prometheus or Alertmanager cannot be configured or started as asked; the message says what to do."""


class BaselineError(DriftgaugeError, ValueError):
    """A baseline cannot be built or read; the message names the column."""


class TableError(DriftgaugeError, ValueError):
    """A table cannot be used; the message names the column and says what to do."""


class ColumnError(TableError):
    """A column cannot be read as its kind."""

    def __init__(self, name: str, problem: str, row: int | None = None) -> None:
        """Name the column, what is wrong, and the row of those that were read, from 1, if it is a cell."""
        super().__init__(f"{name}: {problem}" if row is None else f"{name}, row {row:,}: {problem}")
        self.name: Final = name
        self.problem: Final = problem
        self.row: Final = row


class SettingsError(DriftgaugeError, ValueError):
    """Settings cannot be used; the message names each and says what is wrong."""


class CheckError(DriftgaugeError, ValueError):
    """A comparison of tables cannot be made as asked; the message says what to do."""


class StateError(DriftgaugeError):
    """State files cannot be read or deleted; the message says what to do."""


class DemoError(DriftgaugeError):
    """The demo cannot start or go on; the message says what to do."""
