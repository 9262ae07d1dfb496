from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.errors import BundleError
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.formats.description import Description
from driftgauge.models.formats.onnx import described, load
from driftgauge.models.formats.spec import ModelSpec
from onnx import TensorProto, helper

from tests.examples import TARGET, cells
from tests.models.formats.cases import MAKERS, split

SPEC = ModelSpec(format="onnx", file="model.onnx")


def network(folder: Path, inputs: list[Any], outputs: list[Any]) -> Path:
    """Write a network that hands its inputs to outputs of the same type; the others stay unconnected."""
    nodes = [
        helper.make_node("Identity", [given.name], [made.name]) for given, made in zip(inputs, outputs, strict=False)
    ]
    graph = helper.make_graph(nodes, "network", inputs, outputs)
    path = folder / "model.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def tensor(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def describe(path: Path, **outputs: str) -> Description:
    spec = ModelSpec(format="onnx", file="model.onnx", outputs=outputs)
    return described(load(path, spec, ()), spec)


def test_one_output_of_one_number_is_ambiguous(tmp_path: Path) -> None:
    path = network(tmp_path, [tensor("x", ["n", 1])], [tensor("y", ["n", 1])])
    with pytest.raises(BundleError, match=r"outputs are ambiguous: y \(tensor\(float\) \['n', 1\]\).*--onnx-output y="):
        describe(path)
    assert describe(path, value="y").class_count == 0
    assert describe(path, probabilities="y").class_count == 2


@pytest.mark.parametrize("name", ["variable", "predictions"])
def test_the_value_of_a_regression_is_known_by_the_names_that_converters_give(name: str, tmp_path: Path) -> None:
    path = network(tmp_path, [tensor("x", ["n", 1])], [tensor(name, ["n", 1])])
    assert describe(path).spec.outputs == {"value": name}


def test_several_numbers_are_the_probabilities_of_classes(tmp_path: Path) -> None:
    found = describe(network(tmp_path, [tensor("x", ["n", 3])], [tensor("y", ["n", 3])]))
    assert found.class_count == 3
    assert found.spec.outputs == {"probabilities": "y"}
    assert found.input == "matrix"
    assert found.names is None
    assert len(found.columns) == 3


def test_tensors_of_one_column_name_the_features(tmp_path: Path) -> None:
    inputs = [tensor("age", ["n", 1]), tensor("city", ["n"], TensorProto.STRING)]
    outputs = [tensor("p", ["n", 1]), tensor("label", ["n"], TensorProto.STRING)]
    found = describe(network(tmp_path, inputs, outputs))
    assert found.names == ("age", "city")
    assert [column.is_text for column in found.columns] == [False, True]
    assert found.input == "columns"
    assert found.spec.outputs == {"label": "label", "probabilities": "p"}


def test_an_output_that_the_model_lacks_is_refused_with_those_that_it_has(tmp_path: Path) -> None:
    path = network(tmp_path, [tensor("x", ["n", 2])], [tensor("y", ["n", 2])])
    with pytest.raises(BundleError, match=r"has no output z; it has y \(tensor\(float\) \['n', 2\]\)"):
        describe(path, probabilities="z")
    with pytest.raises(BundleError, match="either the value of a regression or the probabilities of classes"):
        describe(path, label="y")


@pytest.mark.parametrize("shape", [["n", 2, 2], [8, 2]])
def test_an_input_that_rows_cannot_fill_is_refused(shape: list[Any], tmp_path: Path) -> None:
    path = network(tmp_path, [tensor("x", shape)], [tensor("y", shape)])
    with pytest.raises(BundleError, match=r"input x has the shape \[.*it must be \[rows, columns\]"):
        describe(path)


@pytest.mark.parametrize("content", [b"", b"\x08", b"\x08\x09\xff\xff\xff", b"not a model"])
def test_a_damaged_file_is_a_bundle_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"cannot read the model .*model.onnx: onnxruntime does not accept it"):
        load(path, SPEC, ())


def test_numbers_that_are_no_probabilities_are_refused(tmp_path: Path) -> None:
    table, _ = split(cells())
    table = table[["mean radius", "mean texture", TARGET]]
    path = network(tmp_path, [tensor("x", ["n", 2])], [tensor("y", ["n", 2])])
    with pytest.raises(BundleError, match="no probabilities; it must end with its sigmoid or softmax"):
        create_bundle(path, table, TARGET, name="m", version="1", out=tmp_path / "b")


def test_columns_of_another_number_are_refused(tmp_path: Path) -> None:
    table, _ = split(cells())
    path = network(tmp_path, [tensor("x", ["n", 2])], [tensor("y", ["n", 2])])
    with pytest.raises(BundleError, match=r"2 features, the reference has 6 besides the target"):
        create_bundle(path, table, TARGET, name="m", version="1", out=tmp_path / "b")


def test_classes_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    case = MAKERS["onnx-columns"](tmp_path / "right")
    assert case.bundle.info.classes == ("no", "yes")
    table = case.evaluation
    path = tmp_path / "right.onnx"
    with pytest.raises(BundleError, match=r"predicts as no have a lower probability.*--classes"):
        create_bundle(path, table, TARGET, name="m", version="1", out=tmp_path / "b", classes=["yes", "no"])
    with pytest.raises(BundleError, match=r"predicts the class 'no', which is not among yes, maybe.*--classes"):
        create_bundle(path, table, TARGET, name="m", version="1", out=tmp_path / "b", classes=["yes", "maybe"])


def test_classes_are_named_where_the_target_does_not_hold_them_all(tmp_path: Path) -> None:
    table, _ = split(cells())
    table = table[["mean radius", "mean texture", "mean area", TARGET]].assign(
        **{TARGET: np.where(table[TARGET], "b", "m")}
    )
    shares = (
        table.drop(columns=TARGET)
        .pipe(lambda frame: frame.div(frame.sum(axis=1), axis=0))
        .assign(**{TARGET: table[TARGET]})
    )
    path = network(tmp_path, [tensor("x", ["n", 3])], [tensor("y", ["n", 3])])
    with pytest.raises(BundleError, match=r"the model has 3 classes, and 2 are known \(b, m\).*--classes"):
        create_bundle(path, shares, TARGET, name="m", version="1", out=tmp_path / "b")
    made = create_bundle(path, shares, TARGET, name="m", version="1", out=tmp_path / "b", classes=["b", "m", "x"])
    assert made.info.classes == ("b", "m", "x")
