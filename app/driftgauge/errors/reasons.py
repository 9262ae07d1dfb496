"""Reason codes, which are both an error's `code` and a metric's `reason`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why something was refused, failed or lost."""

    # Requests to predict that are refused.
    CROSS_SITE = "cross_site"
    """A page of another site sent the request from a browser."""
    HOST_NOT_ALLOWED = "host_not_allowed"
    """The Host header names a host that this server does not serve."""
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    """The Content-Encoding is not supported."""
    DAMAGED_ENCODING = "damaged_encoding"
    """The compressed body is damaged or incomplete."""
    NOT_UTF8 = "not_utf8"
    """The body is not UTF-8."""
    NOT_JSON = "not_json"
    """The body is not JSON."""
    BODY_TOO_LARGE = "body_too_large"
    """The body exceeds the limit of bytes."""
    UNKNOWN_SHAPE = "unknown_shape"
    """The JSON has no supported shape."""
    WRONG_TYPE = "wrong_type"
    """A value has the wrong JSON type for its feature."""
    NOT_FINITE = "not_finite"
    """A number is NaN or infinite, or too large for the model."""
    WRONG_FEATURE_COUNT = "wrong_feature_count"
    """A row has too many or too few values."""
    UNKNOWN_FEATURE = "unknown_feature"
    """A row names a feature that the model does not have."""
    MISSING_FEATURE = "missing_feature"
    """A feature is absent or null, and the model needs it."""
    UNSEEN_CATEGORY = "unseen_category"
    """A category is unknown to a model that accepts known ones only."""
    MODEL_REJECTED_ROW = "model_rejected_row"
    """The model fails on this row and answers others."""
    EMPTY_BATCH = "empty_batch"
    """The request has no rows."""
    TOO_MANY_ROWS = "too_many_rows"
    """The request exceeds the limit of rows."""
    INVALID_TIMESTAMP = "invalid_timestamp"
    """A timestamp of an event cannot be read."""
    INVALID_PREDICTION_ID = "invalid_prediction_id"
    """A prediction id is too long, or has characters that are not allowed."""
    OVERLOADED = "overloaded"
    """Too many requests or rows wait for the model."""
    # Requests whose caller may not send them.
    MISSING_TOKEN = "missing_token"  # noqa: S105  a reason
    """The request has no token, and the server asks for one."""
    INVALID_TOKEN = "invalid_token"  # noqa: S105  a reason
    """The token of the request is unknown."""
    MISSING_SCOPE = "missing_scope"
    """The token does not allow what the request asks for."""
    # Requests of a caller that asks for too much.
    RATE_LIMITED = "rate_limited"
    """The caller sends more requests per second than it may."""
    TOO_MANY_CONCURRENT_REQUESTS = "too_many_concurrent_requests"
    """The caller has as many requests at the same time as it may."""
    QUEUE_SHARE_USED = "queue_share_used"
    """The caller's requests that wait for the model have taken its share of the queue."""
    # Records from the logs of other servers.
    TOO_MANY_PENDING = "too_many_pending"
    """Too many requests with records wait to be taken in."""
    INTAKE_FULL = "intake_full"
    """There is no room for the rows of the request now."""
    UNREADABLE_RECORD = "unreadable_record"
    """The record cannot be read, for a reason that has no code of its own."""
    # Predictions that fail.
    MODEL_FAILED = "model_failed"
    """The model raised on accepted rows."""
    # Ground truth that is refused.
    INVALID_LABEL = "invalid_label"
    """A label is not one of the model's classes, or not a number."""
    UNKNOWN_OUTCOME = "unknown_outcome"
    """A row names an outcome that the settings do not have."""
    INVALID_OUTCOME = "invalid_outcome"
    """An outcome's value does not fit its kind."""
    PREDICTION_LOG_DISABLED = "prediction_log_disabled"
    """The prediction log is switched off: nothing can be read from it, and ground truth has nothing to join."""
    PREDICTION_LOG_NOT_READ = "prediction_log_not_read"
    """The database of the prediction log could not be read."""
    LABELS_NOT_STORED = "labels_not_stored"
    """The database of the prediction log could not store the labels."""
    # Alerts that are refused.
    INVALID_ALERT = "invalid_alert"
    """The body is not that of Alertmanager's webhook."""
    ACTIONS_DISABLED = "actions_disabled"
    """The settings have no actions."""
    ACTIONS_NOT_STORED = "actions_not_stored"
    """The history of actions could not be read or written."""
    # Observations that are lost.
    MONITORING_FAILED = "monitoring_failed"
    """Monitoring raised; the prediction was answered."""
    LOG_FULL = "log_full"
    """The log of the worker was full of rows that no catch-up had read."""
    # Predictions that are not in the prediction log.
    NOT_SAMPLED = "not_sampled"
    """The sample does not contain the prediction's id."""
    PREDICTION_ID_REPEATED = "prediction_id_repeated"
    """The model has an earlier prediction with this id, which is kept."""
    PREDICTION_LOG_QUEUE_FULL = "prediction_log_queue_full"
    """Too many predictions wait to be written to the log."""
    PREDICTION_LOG_FAILED = "prediction_log_failed"
    """The database of the log failed again and again."""
    PREDICTION_LOG_DISK_FULL = "prediction_log_disk_full"
    """The disk is nearly full, so the log is not written."""
    # Rows that a shadow version does not predict.
    SHADOW_QUEUE_FULL = "shadow_queue_full"
    """Too many rows wait for the shadow version."""
    SHADOW_FAILED = "shadow_failed"
    """The shadow version fails on the rows, or refuses them."""
    SHADOW_FEATURES = "shadow_features"
    """The live version does not have a feature of the shadow version."""
    # Observations whose timestamp is rejected.
    AHEAD_OF_ARRIVAL = "ahead_of_arrival"
    """The timestamp is implausibly far ahead of the row's arrival."""
    # State that could not be used as it was found.
    POWER_LOSS = "power_loss"
    """The machine stopped before the state reached the disk."""
    STATE_DAMAGED = "state_damaged"
    """A state file, or a row in it, fails its checks."""
    STATE_TRUNCATED = "state_truncated"
    """A state file is shorter than it should be."""
    STATE_FOREIGN = "state_foreign"
    """A state file belongs to another baseline, layout or version."""
    # Connections and requests that are refused before it is known what they ask.
    MALFORMED_HTTP = "malformed_http"
    """The bytes are not valid HTTP."""
    REQUEST_TIMEOUT = "request_timeout"
    """The request did not arrive in time."""
    URL_TOO_LONG = "url_too_long"
    """The URL exceeds the limit of bytes."""
    HEADERS_TOO_LARGE = "headers_too_large"
    """The headers exceed the limit of bytes."""
    TOO_MANY_CONNECTIONS = "too_many_connections"
    """All connections are in use."""
    # Connections that the server closes before its client does.
    ANSWER_NOT_READ = "answer_not_read"
    """The client did not read its answer in time."""
    IDLE_EVICTED = "idle_evicted"
    """An idle connection made room for a new one."""
    SLOW_EVICTED = "slow_evicted"
    """A slow request made room for a new connection."""
    # The server itself.
    NOT_READY = "not_ready"
    """The server is starting or stopping."""
    NOT_FOUND = "not_found"
    """There is no such route."""
    MODEL_NOT_NAMED = "model_not_named"
    """The server has several models, and the request names none."""
    MODEL_UNUSABLE = "model_unusable"
    """The model could not be loaded."""
    UNKNOWN_WINDOW = "unknown_window"
    """The status has no window of this name."""
    TOO_MANY_COLUMNS = "too_many_columns"
    """The request names more columns than one answer has."""
    INVALID_QUERY = "invalid_query"
    """A parameter of the query is unknown, or has a value that cannot be used."""
    UNKNOWN_FORMAT = "unknown_format"
    """The status has no format of this name."""
    MONITORING_DISABLED = "monitoring_disabled"
    """Monitoring is switched off."""
    NO_KEPT_ROWS = "no_kept_rows"
    """Whole rows cannot be compared, because none are kept of the reference."""
    ROWS_NOT_COMPARED = "rows_not_compared"
    """The comparison of whole rows failed or took too long."""
    METHOD_NOT_ALLOWED = "method_not_allowed"
    """The route does not support this method."""
    NOT_ACCEPTABLE = "not_acceptable"
    """The Accept-Encoding header excludes every encoding."""
    INVALID_VERSION = "invalid_version"
    """The request for another version of a model has a wrong field."""
    BUNDLE_NOT_ALLOWED = "bundle_not_allowed"
    """The bundle lies in no folder from which bundles may be loaded."""
    VERSION_CONFLICT = "version_conflict"
    """The versions of the model do not allow this change now."""
    VERSION_NOT_LOADED = "version_not_loaded"
    """A worker cannot serve the version, so nothing has changed."""
    # An alias of a registered model that is followed.
    REGISTRY_UNREACHABLE = "registry_unreachable"
    """The registry of models does not answer as expected."""
    ALIAS_NOT_FOUND = "alias_not_found"
    """The registered model does not have the alias."""
    VERSION_WITHOUT_BUNDLE = "version_without_bundle"
    """The registered version has no bundle that a server could load."""
    INTERNAL_ERROR = "internal_error"
    """An unexpected error; the log has the details."""


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
"""Reasons of refused requests to predict."""
CONSTRAINT_OF: Final[Mapping[Reason, str]] = {
    Reason.WRONG_TYPE: "type",
    Reason.NOT_FINITE: "type",
    Reason.WRONG_FEATURE_COUNT: "required",
    Reason.MISSING_FEATURE: "required",
    Reason.UNKNOWN_FEATURE: "extra_columns",
    Reason.UNSEEN_CATEGORY: "domain",
}
"""The constraint that a refused row violates, by the reason of the refusal."""
REQUEST_CONSTRAINTS: Final = tuple(dict.fromkeys(CONSTRAINT_OF.values()))
"""Constraints on rows as they are sent."""
UNREADABLE: Final = (
    Reason.NOT_UTF8,
    Reason.NOT_JSON,
    Reason.UNKNOWN_SHAPE,
    Reason.WRONG_TYPE,
    Reason.NOT_FINITE,
    Reason.WRONG_FEATURE_COUNT,
    Reason.UNKNOWN_FEATURE,
    Reason.MISSING_FEATURE,
    Reason.INVALID_TIMESTAMP,
    Reason.INVALID_PREDICTION_ID,
    Reason.INVALID_LABEL,
    Reason.PREDICTION_LOG_DISABLED,
    Reason.UNREADABLE_RECORD,
)
"""Reasons of records from the logs of other servers that are refused; others are counted as the last one."""
DENIALS: Final = (Reason.MISSING_TOKEN, Reason.INVALID_TOKEN, Reason.MISSING_SCOPE)
"""Reasons of requests whose caller may not send them."""
LIMITED: Final = (Reason.RATE_LIMITED, Reason.TOO_MANY_CONCURRENT_REQUESTS, Reason.QUEUE_SHARE_USED)
"""Reasons of requests whose caller asks for too much."""
FAILURES: Final = (Reason.MODEL_FAILED,)
"""Reasons of accepted predictions that fail."""
DROPS: Final = (Reason.MONITORING_FAILED, Reason.LOG_FULL, Reason.STATE_DAMAGED)
"""Reasons of lost observations."""
LOG_DROPS: Final = (
    Reason.PREDICTION_LOG_QUEUE_FULL,
    Reason.PREDICTION_LOG_FAILED,
    Reason.PREDICTION_LOG_DISK_FULL,
    Reason.PREDICTION_ID_REPEATED,
    Reason.MONITORING_FAILED,
    Reason.NOT_SAMPLED,
)
"""Reasons of predictions that are not in the prediction log."""
SHADOW_DROPS: Final = (Reason.SHADOW_QUEUE_FULL, Reason.SHADOW_FAILED, Reason.SHADOW_FEATURES)
"""Reasons of rows that a shadow version does not predict."""
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
"""Reasons of connections that the server closes."""
TURNED_AWAY: Final = (Reason.TOO_MANY_CONNECTIONS, Reason.SLOW_EVICTED)
"""Those of them that a well-behaved client may meet when the server is full."""
RECOVERIES: Final = (Reason.POWER_LOSS, Reason.STATE_DAMAGED, Reason.STATE_TRUNCATED, Reason.STATE_FOREIGN)
"""Reasons of states that were rebuilt."""
ALIAS_FAILURES: Final = (
    Reason.REGISTRY_UNREACHABLE,
    Reason.ALIAS_NOT_FOUND,
    Reason.VERSION_WITHOUT_BUNDLE,
    Reason.VERSION_NOT_LOADED,
    Reason.VERSION_CONFLICT,
)
"""Why an alias is not followed."""
