"""`Monitor.watch`: observes the calls of a function that predicts."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar, cast

from driftgauge.common.quoting import named
from driftgauge.errors import SettingsError
from driftgauge.library.recorder import Outputs, Recorder
from driftgauge.library.selection import plain, selector

P = ParamSpec("P")
R = TypeVar("R")
Arguments = tuple[Any, ...]
Features = str | Callable[[Arguments, Mapping[str, Any]], Any]
"""The name of an argument, with keys inside it after a dot; or a function of (args, kwargs) that returns rows."""
_BOUND: Final = ("self", "cls")
_SEVERAL: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def watched(
    function: Callable[P, R], recorder: Recorder, features: Features | None, outputs: Outputs
) -> Callable[P, R]:
    """Return the function, whose calls are observed. SettingsError for one that cannot be."""
    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise SettingsError(
            f"{_name(function)} is a generator, whose predictions come one by one: watch the function that makes one "
            "prediction, or call monitor.observe in it"
        )
    read = rows_reader(function, features, recorder.names)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):
        return cast(Callable[P, R], _of_coroutine(cast(Callable[P, Awaitable[Any]], function), recorder, read, outputs))
    return _of_function(function, recorder, read, outputs)


def _of_function(function: Callable[P, R], recorder: Recorder, read: Read, outputs: Outputs) -> Callable[P, R]:
    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        call = _Call(recorder, read, args, kwargs)
        try:
            answer = function(*args, **kwargs)
        except Exception:
            call.failed()
            raise
        call.answered(answer, outputs)
        return answer

    return run


def _of_coroutine(
    function: Callable[P, Awaitable[R]], recorder: Recorder, read: Read, outputs: Outputs
) -> Callable[P, Awaitable[R]]:
    @functools.wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        call = _Call(recorder, read, args, kwargs)
        try:
            answer = await function(*args, **kwargs)
        except Exception:
            call.failed()
            raise
        call.answered(answer, outputs)
        return answer

    return run


class _Call:
    """One call: its rows are read before it, because the function may change them."""

    def __init__(self, recorder: Recorder, read: Read, args: Arguments, kwargs: Mapping[str, Any]) -> None:
        self._recorder = recorder
        self._rows: Any = None
        self._unread: Exception | None = None
        try:
            self._rows = kept(plain(read(args, kwargs)))
        except Exception as error:  # also of arguments that the function will refuse
            self._unread = error
        self._began = recorder.timer()

    def answered(self, answer: Any, outputs: Outputs) -> None:
        seconds = self._recorder.timer() - self._began
        if self._unread is not None:
            self._recorder.unread(self._unread)
        else:
            self._recorder.answered(self._rows, answer, outputs, seconds)

    def failed(self) -> None:
        self._recorder.failed(self._rows)


# ---------------------------------------------------------------- the rows of a call

Read = Callable[[Arguments, Mapping[str, Any]], Any]


def rows_reader(function: Callable[..., Any], features: Features | None, names: Sequence[str]) -> Read:
    """Return what reads the rows from a call's arguments. SettingsError if it is not clear which they are."""
    if callable(features):
        return features
    signature = inspect.signature(function)
    if isinstance(features, str):
        select = selector("features", features)
        if features.partition(".")[0] not in signature.parameters:
            known = named(list(signature.parameters))
            raise SettingsError(f"features={features!r}: {_name(function)} has no such argument; it has {known}")
        return lambda args, kwargs: select(_arguments(signature, args, kwargs))
    read = _by_arguments(signature, names)
    if read is None:
        raise SettingsError(
            f"{_name(function)} has neither the columns as arguments ({named(names)}) nor a single argument with the "
            "rows: give features='ARGUMENT', or features=function(args, kwargs) that returns the rows"
        )
    return read


def _by_arguments(signature: inspect.Signature, names: Sequence[str]) -> Read | None:
    """Return what reads the arguments named as columns, or the only argument; None if there is neither."""
    known = [p for p in signature.parameters.values() if p.kind not in _SEVERAL and p.name not in _BOUND]
    takes_more = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
    own = {parameter.name for parameter in known}
    needed = [parameter.name for parameter in known if parameter.default is inspect.Parameter.empty]
    if set(names) <= own or (takes_more and (own & set(names) or not needed)):
        return lambda args, kwargs: _row(_arguments(signature, args, kwargs), names)
    if len(needed) == 1:
        return lambda args, kwargs: _arguments(signature, args, kwargs)[needed[0]]
    return None


def _row(arguments: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    return {name: arguments[name] for name in names if name in arguments}


def _arguments(signature: inspect.Signature, args: Arguments, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of a call by name; TypeError if they do not fit."""
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    found = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found |= found.pop(parameter.name)
    return found


def kept(rows: Any) -> Any:
    """Return a copy of rows, which the function cannot change."""
    if isinstance(rows, Mapping):
        return dict(rows)
    if isinstance(rows, list):
        return [kept(row) for row in rows]
    return rows.copy() if hasattr(rows, "copy") else rows


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__)
