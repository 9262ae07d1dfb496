"""ONNX models, run by onnxruntime on one thread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray, category_name
from driftgauge.errors import BundleError
from driftgauge.models.formats.answer import (
    Answer,
    most_probable,
    of_several,
    require_probabilities,
    scores_of,
    values_of,
)
from driftgauge.models.formats.description import Description, ModelColumn
from driftgauge.models.formats.files import content_of, reading
from driftgauge.models.formats.numbers import as_fractions, as_whole
from driftgauge.models.formats.spec import ModelSpec, OutputRole

if TYPE_CHECKING:
    from driftgauge.models.bundle import BundleInfo, Label

_NUMBERS: Final[Mapping[str, str]] = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_TEXT: Final = "tensor(string)"
_FRACTIONS: Final = ("tensor(float)", "tensor(double)", "tensor(float16)")
_VALUE_NAMES: Final = ("variable", "predictions")
"""What skl2onnx and CatBoost call the value of a regression."""


# ---------------------------------------------------------------- loading


def load(path: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
    """Load a session of one thread; BundleError for a file that onnxruntime does not accept."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised
    content = content_of(path, spec)
    with reading(path, "onnxruntime"):
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


# ---------------------------------------------------------------- description


def described(model: Any, spec: ModelSpec) -> Description:
    """Describe the tensors of a session; BundleError for an ambiguous output, which `--onnx-output` names."""
    tensors = _tensors(model)
    columns = tuple(ModelColumn(is_text=tensor.is_text) for tensor in tensors for _ in range(tensor.width or 0))
    one = len(tensors) == 1
    found = {output.name: output for output in model.get_outputs()}
    roles = _stated(spec.outputs, found) if spec.outputs else _roles(list(found.values()))
    answers = found[roles["value"] if "value" in roles else roles["probabilities"]]
    return Description(
        spec=spec.model_copy(update={"outputs": roles}),
        columns=columns if all(tensor.width for tensor in tensors) else (),
        input="matrix" if one and not tensors[0].is_text else "columns",
        names=None if one and tensors[0].width != 1 else _names(tensors),
        class_count=0 if "value" in roles else _class_count(answers),
    )


@dataclass(frozen=True)
class _Tensor:
    """An input of a session."""

    name: str
    dtype: str | None
    """Of numpy; None for texts."""
    width: int | None
    """Number of its columns; None if it takes any."""
    is_flat: bool
    """Whether its shape is [n] and not [n, width]."""
    is_single: bool
    """Whether it takes one row at a time."""

    @property
    def is_text(self) -> bool:
        return self.dtype is None

    @classmethod
    def of(cls, given: Any, *, alone: bool) -> _Tensor:
        """Return an input as onnxruntime describes it; BundleError for one that rows cannot fill."""
        if given.type != _TEXT and given.type not in _NUMBERS:
            raise BundleError(f"the ONNX model's input {given.name} is a {given.type}, and rows are numbers and texts")
        shape = list(given.shape)
        if len(shape) not in (1, 2) or (isinstance(shape[0], int) and shape[0] > 1):
            raise BundleError(
                f"the ONNX model's input {given.name} has the shape {shape}: it must be [rows, columns] or [rows], "
                "with any number of rows"
            )
        width = shape[1] if len(shape) == 2 else 1
        known = width if isinstance(width, int) else None if alone else 1
        return cls(given.name, _NUMBERS.get(given.type), known, len(shape) == 1, shape[0] == 1)


def _tensors(model: Any) -> tuple[_Tensor, ...]:
    inputs = model.get_inputs()
    return tuple(_Tensor.of(one, alone=len(inputs) == 1) for one in inputs)


def _names(tensors: Sequence[_Tensor]) -> tuple[str, ...] | None:
    """Return the tensors' names if each holds one column."""
    return tuple(tensor.name for tensor in tensors) if all(tensor.width == 1 for tensor in tensors) else None


def _stated(stated: Mapping[OutputRole, str], found: Mapping[str, Any]) -> dict[OutputRole, str]:
    absent = [name for name in stated.values() if name not in found]
    if absent:
        raise BundleError(f"the ONNX model has no output {absent[0]}; it has {', '.join(map(_shown, found.values()))}")
    if ("value" in stated) == ("probabilities" in stated):
        raise BundleError("--onnx-output must name either the value of a regression or the probabilities of classes")
    return dict(stated)


def _roles(outputs: Sequence[Any]) -> dict[OutputRole, str]:
    """Return which output is which; BundleError if that is ambiguous."""
    numbers = [output for output in outputs if output.type in _FRACTIONS]
    maps = [output for output in outputs if output.type.startswith("seq(map(")]
    labels = [output for output in outputs if output not in numbers and output not in maps]
    if len(labels) == 1 and len(numbers) + len(maps) == 1:
        return {"label": labels[0].name, "probabilities": (numbers + maps)[0].name}
    if len(outputs) == len(numbers) == 1:
        if (_width(numbers[0]) or 1) > 1:
            return {"probabilities": numbers[0].name}
        if numbers[0].name in _VALUE_NAMES:
            return {"value": numbers[0].name}
    first = outputs[0].name
    raise BundleError(
        f"the ONNX model's outputs are ambiguous: {', '.join(map(_shown, outputs))}. Say what they are: "
        f"--onnx-output {first}=value for a regression, --onnx-output {first}=probabilities for the probability of the "
        "positive class or of each class, and --onnx-output NAME=label for the predicted class"
    )


def _shown(output: Any) -> str:
    return f"{output.name} ({output.type} {list(output.shape or [])})"


def _width(output: Any) -> int | None:
    shape = list(output.shape or [])
    width = shape[-1] if len(shape) > 1 else 1
    return width if isinstance(width, int) else None


def _class_count(output: Any) -> int | None:
    if output.type not in _FRACTIONS:
        return None
    width = _width(output)
    return 2 if width == 1 else width


# ---------------------------------------------------------------- prediction


class OnnxModel:
    """Runs a session on a matrix or on columns."""

    def __init__(self, model: Any, info: BundleInfo) -> None:
        self._run = model.run
        self._tensors = _tensors(model)
        self._row_by_row = any(tensor.is_single for tensor in self._tensors)
        outputs = info.model.outputs
        self._classes: Final = info.classes
        self._index = {label: index for index, label in enumerate(info.classes)}
        self._main = outputs["probabilities" if info.classes else "value"]
        self._label = outputs.get("label")
        self._wanted = [self._main] if self._label is None else [self._main, self._label]

    def predict(self, inputs: Any) -> Answer:
        """Answer with the outputs of the session."""
        is_matrix = isinstance(inputs, np.ndarray)
        rows = len(inputs) if is_matrix else len(inputs[0])
        feeds = {self._tensors[0].name: _matrix(inputs, self._tensors[0])} if is_matrix else self._feeds(inputs, rows)
        if self._row_by_row and rows != 1:
            return self._joined(feeds, rows)
        return self._answer(self._run(self._wanted, feeds), rows)

    def _feeds(self, columns: Sequence[Any], rows: int) -> dict[str, Any]:
        """Return the tensors, each filled with its columns."""
        feeds: dict[str, Any] = {}
        first = 0
        for tensor in self._tensors:
            width = tensor.width or len(columns)
            part = columns[first : first + width]
            feeds[tensor.name] = _texts(part, tensor, rows) if tensor.is_text else _numbers(part, tensor)
            first += width
        return feeds

    def _joined(self, feeds: Mapping[str, Any], rows: int) -> Answer:
        """Answer row by row, because the model was exported for one row."""
        answers = []
        for row in range(rows):
            one = {name: value[row : row + 1] for name, value in feeds.items()}
            answers.append(self._answer(self._run(self._wanted, one), 1))
        labels = [label for answer in answers for label in answer.labels]
        indices = [answer.indices for answer in answers if answer.indices is not None]
        scores = np.concatenate([answer.scores for answer in answers])
        given = [answer.probabilities for answer in answers if answer.probabilities is not None]
        return Answer(
            labels,
            scores,
            np.concatenate(indices) if indices else None,
            np.concatenate(given) if given else None,
        )

    def _answer(self, outputs: Sequence[Any], rows: int) -> Answer:
        if not self._classes:
            return values_of(outputs[0], rows)
        probabilities = _probabilities(outputs[0], rows)
        if self._label is None:
            return most_probable(probabilities, self._classes)
        if probabilities.shape[1] != len(self._classes):
            raise ValueError(f"it answered {probabilities.shape[1]} probabilities for {len(self._classes)} classes")
        found = np.asarray(outputs[1]).reshape(rows).tolist()
        indices = np.array([self._index.get(label, -1) for label in found], dtype=np.int64)
        labels: list[Label] = [
            label if index < 0 else self._classes[index] for label, index in zip(found, indices.tolist(), strict=True)
        ]
        return Answer(labels, scores_of(probabilities), indices, of_several(probabilities))


def _probabilities(answered: Any, rows: int) -> FloatArray:
    """Return probabilities of shape [n, classes]; ValueError for numbers that are none."""
    if isinstance(answered, list):  # a map from class to probability for each row
        answered = [list(one.values()) for one in answered]
    probabilities = np.asarray(answered, dtype=np.float64).reshape(rows, -1)
    require_probabilities(probabilities)
    if probabilities.shape[1] == 1:
        return np.column_stack([1.0 - probabilities[:, 0], probabilities[:, 0]])
    return probabilities


def _matrix(values: FloatArray, tensor: _Tensor) -> Any:
    """Return numbers in the type of a tensor; ValueError for a number that it cannot hold."""
    dtype = np.dtype(tensor.dtype)
    return as_fractions(values, dtype) if dtype.kind == "f" else as_whole(values, dtype)


def _numbers(columns: Sequence[Any], tensor: _Tensor) -> Any:
    if any(isinstance(column, list) for column in columns):
        raise ValueError(f"{tensor.name} holds numbers, and a text was given")
    return _matrix(columns[0] if tensor.is_flat else np.column_stack(list(columns)), tensor)


def _texts(columns: Sequence[Any], tensor: _Tensor, rows: int) -> Any:
    """Return texts; ValueError for a missing one, which a tensor of texts cannot hold."""
    cells = np.empty((rows, len(columns)), dtype=object)
    for index, column in enumerate(columns):
        named = column if isinstance(column, list) else [category_name(number) for number in column.tolist()]
        if any(name is None or (isinstance(name, float) and math.isnan(name)) for name in named):
            raise ValueError(f"a text is missing in {tensor.name}")
        cells[:, index] = named
    return cells[:, 0] if tensor.is_flat else cells


adapted = OnnxModel
