from __future__ import annotations

import bz2
import copy
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import scipy.sparse
import skops.io
from driftgauge.errors import BundleError
from driftgauge.models.model_file import TRUSTED_TYPES, UntrustedTypes, load_model
from driftgauge.models.model_inspection import MOST_BRACKETS, MOST_DEPTH
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import fbeta_score, get_scorer, get_scorer_names, make_scorer
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold, TunedThresholdClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier

from tests.effort import examples
from tests.examples import TARGET, cells, logistic

X = cells().drop(columns=TARGET).to_numpy()
Y = cells()[TARGET].to_numpy()


def npy(kind: str, shape: str) -> bytes:
    """Return an array's file that has a header and no values."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00v\x00" + header.encode()


TERABYTE = npy("<f8", "(137438953472,)")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model as skops writes it."""
    path = tmp_path_factory.mktemp("honest") / "model.skops"
    skops.io.dump(logistic().fit(X, Y), path)
    return path


@contextmanager
def little_memory(most: int = 32 << 20) -> Iterator[None]:
    """Fail if what runs inside takes more memory than that."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def forged(honest: Path, out: Path, change: Callable[[dict[str, Any]], object], **members: bytes) -> Path:
    """Write a model whose description was changed."""
    found = contents(honest)
    schema = json.loads(found["schema.json"])
    change(schema)
    return written(out, {**found, **members, "schema.json": json.dumps(schema).encode()})


def refusal(path: Path) -> str:
    with little_memory(), pytest.raises(BundleError) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------- what is no skops file


@pytest.mark.parametrize(
    "dump",
    [
        lambda model, path: joblib.dump(model, path),
        *(
            lambda model, path, how=how: joblib.dump(model, path, compress=how)
            for how in (("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3))
        ),
        *(
            lambda model, path, protocol=protocol: path.write_bytes(pickle.dumps(model, protocol))
            for protocol in range(6)
        ),
        lambda model, path: path.write_bytes(gzip.compress(pickle.dumps(model))),
        lambda model, path: path.write_bytes(b"\x04\x22M\x18" + bytes(100)),
    ],
)
def test_a_pickle_is_named_with_the_lines_that_convert_it(dump: Callable[[Any, Path], object], tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    dump(make_pipeline(StandardScaler(), RandomForestClassifier(5)).fit(X, Y), path)
    message = refusal(path)
    assert "it is a pickle, as joblib.dump and pickle.dump write it" in message
    lines = f'import joblib, skops.io; skops.io.dump(joblib.load("{path}"), "{tmp_path}/model.skops")'
    assert message.endswith(lines)


def test_the_lines_convert_it(tmp_path: Path) -> None:
    model = logistic().fit(X, Y)
    joblib.dump(model, tmp_path / "model.skops")
    lines = refusal(tmp_path / "model.skops").partition("in Python: ")[2]
    exec(lines, {})  # noqa: S102  # what a person would paste
    again = load_model(tmp_path / "converted.skops")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_no_instruction_of_a_pickle_is_carried_out(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    for protocol in range(6):
        (tmp_path / "m").write_bytes(pickle.dumps(Trap(), protocol))
        with pytest.raises(BundleError, match="it is a pickle"):
            load_model(tmp_path / "m")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"<html>", b"\x89HDF\r\n\x1a\n", b"(see the wiki)", b"model", b"\x80", b"\x80\x09", bytes(5000)),
        gzip.compress(b"text " * 999, mtime=0),
        *(compress(b"text " * 999) for compress in (zlib.compress, bz2.compress, lzma.compress)),
    ],
)
def test_another_file_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(content)
    assert "it is not a skops file: save the estimator with skops.io.dump" in refusal(tmp_path / "m")


def test_a_fifo_a_device_and_a_sparse_file_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "device").symlink_to("/dev/zero")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(40 << 30)
    assert "is a named pipe" in refusal(tmp_path / "fifo")
    assert "is a device" in refusal(tmp_path / "device")
    assert "has 42,949,672,960 bytes" in refusal(tmp_path / "sparse")


# ---------------------------------------------------------------- bombs


@pytest.mark.parametrize("cut", [10, 1000, -1, -30])
def test_a_truncated_file_is_said_to_be_so(cut: int, honest: Path, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(honest.read_bytes()[:cut])
    assert "it is truncated" in refusal(tmp_path / "m")


def test_a_zip_bomb_is_refused_before_memory_is_taken(honest: Path, tmp_path: Path) -> None:
    path = tmp_path / "m"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", contents(honest)["schema.json"])
        with archive.open("bomb.npy", "w") as member:
            for _ in range(512):
                member.write(bytes(1 << 20))
    assert "unpacked it would have 536," in refusal(path)


def test_a_member_that_lies_about_its_size_is_refused(honest: Path, tmp_path: Path) -> None:
    path = tmp_path / "m"
    written(path, {**contents(honest), "bomb.npy": bytes(64 << 20)}, zipfile.ZIP_DEFLATED)
    text = bytearray(path.read_bytes())
    place = text.rfind(b"PK\x01\x02")
    while text[place + 46 : place + 54] != b"bomb.npy":
        place = text.rfind(b"PK\x01\x02", 0, place)
    struct.pack_into("<L", text, place + 24, 128)
    path.write_bytes(text)
    assert "bomb.npy is damaged" in refusal(path)


def test_too_many_members_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path / "m", {"schema.json": b"{}"})
    text = bytearray(path.read_bytes())
    place = text.rfind(b"PK\x05\x06")
    struct.pack_into("<L", text, place + 12, 1 << 30)
    path.write_bytes(text)
    assert "more members than a model has" in refusal(path)


@pytest.mark.parametrize(
    "header", [TERABYTE, npy("<U0", "(137438953472,)"), npy("<f8", "(-1, 0)"), b"\x93NUMPY\x01\x00\xff\xff"]
)
def test_an_array_that_is_larger_than_its_file_is_refused(header: bytes, honest: Path, tmp_path: Path) -> None:
    found = contents(honest)
    name = next(name for name in found if name.endswith(".npy"))
    assert f"its array {name}" in refusal(written(tmp_path / "m", {**found, name: header}))


def test_an_array_of_objects_is_refused(honest: Path, tmp_path: Path) -> None:
    found = contents(honest)
    name = next(name for name in found if name.endswith(".npy"))
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    assert f"its array {name} holds Python objects" in refusal(
        written(tmp_path / "m", {**found, name: buffer.getvalue()})
    )


CSR = ("scipy.sparse._csr.csr_matrix",)


def test_a_sparse_matrix_is_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "m"
    skops.io.dump({"matrix": scipy.sparse.csr_matrix(np.eye(50))}, path)
    assert (load_model(path, CSR)["matrix"].toarray() == np.eye(50)).all()
    found = contents(path)
    name = next(name for name in found if name.endswith(".npz"))
    inner = io.BytesIO(found[name])
    with zipfile.ZipFile(inner) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    written(tmp_path / "inner", {**parts, "data.npy": TERABYTE})
    found[name] = (tmp_path / "inner").read_bytes()
    assert f"its array {name}/data.npy" in refusal(written(path, found))


# ---------------------------------------------------------------- descriptions that do not end


def node(number: int, content: object) -> dict[str, Any]:
    kind = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode"}
    return {**kind, "__id__": number, "content": content}


def with_attribute(value: object) -> Callable[[dict[str, Any]], object]:
    """Give the model's description one more attribute."""
    return lambda schema: schema["content"]["content"].update(more=value)


def test_a_part_that_contains_itself_is_refused(honest: Path, tmp_path: Path) -> None:
    path = forged(honest, tmp_path / "m", lambda schema: with_attribute(node(schema["__id__"], []))(schema))
    assert "a part of it contains itself" in refusal(path)


def test_parts_that_contain_each_other_are_refused(honest: Path, tmp_path: Path) -> None:
    pair = node(1, [node(2, [node(1, [])])])
    path = forged(honest, tmp_path / "m", with_attribute(pair))
    assert "a part of it contains itself" in refusal(path)


def test_parts_that_double_at_each_level_are_refused(honest: Path, tmp_path: Path) -> None:
    """Sixty levels of two mentions of the next are 2^60 visits."""
    levels = [node(level, [node(level + 1, []), node(level + 1, [])]) for level in range(1, 61)]
    path = forged(honest, tmp_path / "m", with_attribute(node(99, levels[::-1])))
    assert "its parts name one another again and again" in refusal(path)


def test_deep_descriptions_are_refused(honest: Path, tmp_path: Path) -> None:
    found = contents(honest)
    for text in (b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000):
        assert "nested too deeply" in refusal(written(tmp_path / "m", {**found, "schema.json": text}))
    deep: object = []
    for level in range(MOST_DEPTH):
        deep = node(level, [deep])
    path = forged(honest, tmp_path / "m", with_attribute(deep))
    assert "nested too deeply" in refusal(path)


def test_a_flood_of_parts_is_refused_before_they_are_read(honest: Path, tmp_path: Path) -> None:
    found = contents(honest)
    text = b"[" + b"[]," * MOST_BRACKETS + b"[]]"
    written(tmp_path / "m", {**found, "schema.json": text})
    with little_memory(4 * len(text)), pytest.raises(BundleError, match="describes more parts than a model has"):
        load_model(tmp_path / "m")


def test_a_member_that_is_named_again_and_again_is_refused(honest: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(1 << 17))
    array = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy"}
    many = node(1, [{**array, "file": "one.npy", "__id__": number} for number in range(2, 3000)])
    path = forged(honest, tmp_path / "m", with_attribute(many), **{"one.npy": buffer.getvalue()})
    assert "names the same members again and again" in refusal(path)


@pytest.mark.parametrize("name", ["../model.npy", "/etc/passwd", "..\\model.npy"])
def test_a_member_whose_name_is_a_path_is_refused(name: str, honest: Path, tmp_path: Path) -> None:
    assert "a member's name is a path" in refusal(written(tmp_path / "m", {**contents(honest), name: b""}))


def test_a_member_that_is_there_twice_is_refused(honest: Path, tmp_path: Path) -> None:
    written(tmp_path / "m", contents(honest))
    with zipfile.ZipFile(tmp_path / "m", "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("schema.json", b"{}")
    assert "two of its members have the same name" in refusal(tmp_path / "m")


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (b"[1]", "does not describe an object"),
        (b"{", "not complete JSON"),
        (b"\xff", "not complete JSON"),
        (b"{}", "it is damaged, or was made with other versions"),
        (b'{"protocol": 999}', "it is damaged, or was made with other versions"),
    ],
)
def test_a_description_of_something_else_is_refused(schema: bytes, sentence: str, tmp_path: Path) -> None:
    assert sentence in refusal(written(tmp_path / "m", {"schema.json": schema}))


def test_a_void_of_any_size_is_refused(honest: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array(1 << 34))
    void = {"__class__": "void", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "v.npy"}
    path = forged(
        honest,
        tmp_path / "m",
        with_attribute(void),
        **{"v.npy": buffer.getvalue()},
    )
    assert "numpy.void" in refusal(path)


scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 1 << 40), st.floats(), st.text(max_size=5))


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


@settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_model_is_loaded_or_refused_and_never_anything_else(
    data: st.DataObject, honest: Path, tmp_path: Path
) -> None:
    def change(schema: dict[str, Any]) -> None:
        for _ in range(data.draw(st.integers(1, 3))):
            places = _places(schema)
            holder, key = places[data.draw(st.integers(0, len(places) - 1))]
            other, place = places[data.draw(st.integers(0, len(places) - 1))]
            holder[key] = data.draw(st.one_of(scalars, st.just(copy.deepcopy(other[place]))))

    path = forged(honest, tmp_path / "m", change)
    try:
        load_model(path)
    except BundleError as error:
        assert str(path) in str(error)  # noqa: PT017  # it may also be loaded


@settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_other_bytes_is_loaded_or_refused(data: st.DataObject, honest: Path, tmp_path: Path) -> None:
    text = bytearray(honest.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "m").write_bytes(text)
    try:
        load_model(tmp_path / "m")
    except BundleError as error:
        assert str(tmp_path / "m") in str(error)  # noqa: PT017  # it may also be loaded


@pytest.mark.parametrize(("name", "what"), [("Own", "Own"), ("<lambda>", "a lambda")])
def test_a_class_or_lambda_of_the_notebook_that_saved_it_is_named(
    name: str, what: str, honest: Path, tmp_path: Path
) -> None:
    own = {"__class__": name, "__module__": "__main__", "__loader__": "FunctionNode", "__id__": 1}
    message = refusal(forged(honest, tmp_path / "m", with_attribute(own)))
    assert f"it holds {what} of the notebook or script that was run (__main__), which a server cannot import" in message
    assert "Put it at the top level of a module that the server can import" in message


# ---------------------------------------------------------------- whose types are on the list


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    "model",
    [
        XGBClassifier(n_estimators=4, n_jobs=1),
        XGBRegressor(n_estimators=4, n_jobs=1),
        XGBClassifier(n_estimators=4, n_jobs=1, booster="dart"),
        LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1),
        LGBMRegressor(n_estimators=4, n_jobs=1, verbose=-1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_xgboost_and_lightgbm_are_trusted(model: Any, alone: bool, classes: int, tmp_path: Path) -> None:
    target = Y if classes == 2 else np.arange(len(Y)) % 3
    fitted = (clone(model) if alone else make_pipeline(StandardScaler(), clone(model))).fit(X, target)
    skops.io.dump(fitted, tmp_path / "m.skops")
    again = load_model(tmp_path / "m.skops")
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    if hasattr(fitted, "predict_proba"):
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


SCORERS = ["roc_auc", "f1", "neg_log_loss", "balanced_accuracy", "average_precision", "neg_brier_score"]


@pytest.mark.parametrize(
    "model",
    [
        *(TunedThresholdClassifierCV(LogisticRegression(), scoring=name, cv=2) for name in ("balanced_accuracy", "f1")),
        *(GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, scoring=name, cv=2) for name in SCORERS),
        GridSearchCV(
            LogisticRegression(), {"C": [1.0]}, scoring=make_scorer(fbeta_score, beta=2), cv=RepeatedStratifiedKFold()
        ),
        CalibratedClassifierCV(LogisticRegression(), method="temperature", cv=2),
        KNeighborsClassifier(metric="manhattan", algorithm="ball_tree"),
        make_pipeline(SelectKBest(k=2), LogisticRegression()),
        XGBRFClassifier(n_estimators=2, n_jobs=1),
    ],
    ids=lambda model: f"{type(model).__name__}-{getattr(model, 'scoring', '')}",
)
def test_how_a_model_was_chosen_needs_no_trust(model: Any, tmp_path: Path) -> None:
    scaled = StandardScaler().fit_transform(X)
    fitted = model.fit(scaled, Y)
    skops.io.dump(fitted, tmp_path / "m.skops")
    again = load_model(tmp_path / "m.skops")
    np.testing.assert_array_equal(again.predict(scaled), fitted.predict(scaled))
    np.testing.assert_array_equal(again.predict_proba(scaled), fitted.predict_proba(scaled))


def test_all_scorers_of_supervised_models_are_trusted() -> None:
    made_of = {
        f"{score.__module__}.{score.__qualname__}"
        for score in (get_scorer(name)._score_func for name in get_scorer_names())
    }
    assert {name for name in made_of if ".cluster." not in name} <= TRUSTED_TYPES


def test_a_class_that_nobody_trusts_is_told_in_the_words_of_each_way(tmp_path: Path) -> None:
    error = UntrustedTypes("m.skops", ["a.B", "c.D"])
    assert str(error).startswith("m.skops contains types that are not trusted: a.B, c.D. Loading them can run code.")
    assert str(error).endswith("name them: trusted_types=['a.B', 'c.D']")
    assert str(error.phrased_for("option")).endswith("name them: --trusted-types a.B,c.D")
    setting = "the setting trusted_types: --trusted-types a.B,c.D, or DRIFTGAUGE_TRUSTED_TYPES=a.B,c.D"
    assert str(error.phrased_for("setting")).endswith(f"name them: {setting}")
