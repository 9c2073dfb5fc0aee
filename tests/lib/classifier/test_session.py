"""How a graph is loaded: weights beside it, optimised beforehand or not, and by which version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
from PIL import Image

from lib.classifier import ModelUnavailable, session
from lib.classifier.folder import Runtime
from lib.classifier.model import Classifier
from tests.lib.classifier.conftest import MakeFolder, digest

BLUE = Image.new("RGB", (90, 60), (0, 0, 255))
HERE = onnxruntime.__version__
NONE = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
ALL = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL


def apart(folder: Path, listed: bool = True, location: str = "model.onnx.data", **card: Any) -> Path:
    """Put the weights of a folder's graph into a file of their own."""
    onnx.save(
        onnx.load(folder / "model.onnx"),
        folder / "model.onnx",
        save_as_external_data=True,
        location=location,
        size_threshold=0,
    )
    described = json.loads((folder / "model.json").read_text())
    names = ("model.onnx", "labels.csv", *((location,) if listed else ()))
    described |= {"sha256": {name: digest(folder / name) for name in names}} | card
    (folder / "model.json").write_text(json.dumps(described))
    return folder


def finished(version: str = HERE, **more: Any) -> dict[str, Any]:
    return {"runtime": {"optimised": "extended", "onnxruntime": version, **more}}


def test_weights_beside_the_graph_are_found(make_folder: MakeFolder) -> None:
    folder = apart(make_folder())
    assert (folder / "model.onnx.data").stat().st_size >= 48
    assert Classifier(folder).classify(BLUE).label == "Caerulea sola"


def test_weights_in_a_file_that_is_not_listed_are_refused(make_folder: MakeFolder) -> None:
    with pytest.raises(ModelUnavailable, match=r"keeps weights in 'model\.onnx\.data', of which model\.json"):
        Classifier(apart(make_folder(), listed=False))


def test_changed_weights_are_refused(make_folder: MakeFolder) -> None:
    folder = apart(make_folder())
    data = bytearray((folder / "model.onnx.data").read_bytes())
    data[0] ^= 1
    (folder / "model.onnx.data").write_bytes(data)
    with pytest.raises(ModelUnavailable, match=r"model\.onnx\.data is not the file that model\.json"):
        Classifier(folder)


def test_missing_weights_are_refused(make_folder: MakeFolder) -> None:
    folder = apart(make_folder())
    (folder / "model.onnx.data").unlink()
    with pytest.raises(ModelUnavailable, match=r"model\.onnx\.data is missing from the model folder"):
        Classifier(folder)


def test_too_short_weights_are_refused(make_folder: MakeFolder) -> None:
    folder = apart(make_folder())
    (folder / "model.onnx.data").write_bytes(b"\0" * 8)
    described = json.loads((folder / "model.json").read_text())
    described["sha256"]["model.onnx.data"] = digest(folder / "model.onnx.data")
    (folder / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelUnavailable, match="cannot be loaded by ONNX Runtime"):
        Classifier(folder)


def test_weights_outside_the_folder_are_refused(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = apart(make_folder())
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../elsewhere.data"
    (folder / "model.onnx.data").rename(tmp_path / "elsewhere.data")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    described = json.loads((folder / "model.json").read_text())
    described["sha256"] = {name: digest(folder / name) for name in ("model.onnx", "labels.csv")}
    (folder / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelUnavailable, match=r"keeps weights in 'elsewhere\.data'"):
        Classifier(folder)
    described["sha256"]["../elsewhere.data"] = digest(tmp_path / "elsewhere.data")
    (folder / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelUnavailable, match="may name files of the folder only"):
        Classifier(folder)


@pytest.mark.parametrize(("version", "level"), [(HERE, NONE), ("0.9.1", ALL)])
def test_only_the_version_that_optimised_a_graph_takes_it_as_it_is(
    make_folder: MakeFolder, version: str, level: Any
) -> None:
    folder = apart(make_folder(), **finished(version))
    runtime = Runtime("extended", version, True)
    assert session.finished(runtime) is (level is NONE)
    loaded = session.load(folder / "model.onnx", runtime)
    assert loaded.get_session_options().graph_optimization_level == level
    # Another version optimises it again and answers the same.
    assert Classifier(folder).classify(BLUE).label == "Caerulea sola"


def test_a_graph_that_another_version_made_and_this_one_cannot_load_says_so(make_folder: MakeFolder) -> None:
    folder = make_folder()
    model = onnx.load(folder / "model.onnx")
    model.graph.node[-1].op_type = "NotYetThought"
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    path = folder / "model.onnx"
    with pytest.raises(
        ModelUnavailable, match=rf"made for ONNX Runtime 9\.9\.9 and cannot be loaded by {HERE};"
    ):
        session.load(path, Runtime("extended", "9.9.9"))
    with pytest.raises(ModelUnavailable, match=r"model\.onnx cannot be loaded by ONNX Runtime\."):
        session.load(path, Runtime("extended", HERE))


@pytest.mark.parametrize("prepacking", [True, False])
def test_it_keeps_no_buffers_and_repacks_as_told(make_folder: MakeFolder, prepacking: bool) -> None:
    options = session.load(make_folder() / "model.onnx", Runtime(prepacking=prepacking)).get_session_options()
    assert not options.enable_mem_pattern
    assert not options.enable_mem_reuse
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    if prepacking:
        with pytest.raises(RuntimeError):
            options.get_session_config_entry("session.disable_prepacking")
    else:
        assert options.get_session_config_entry("session.disable_prepacking") == "1"


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("extended", "runtime is missing or not usable"),
        ({"prepacking": "no"}, r"runtime\.prepacking is not usable"),
        ({"optimised": "all", "onnxruntime": HERE}, "others hold on the machine that made them alone"),
        ({"optimised": ["extended"], "onnxruntime": HERE}, r"runtime\.optimised is not usable"),
        ({"optimised": "extended"}, r"runtime\.onnxruntime is missing or not usable"),
        ({"optimised": "extended", "onnxruntime": 1.32}, r"runtime\.onnxruntime is missing or not usable"),
    ],
)
def test_a_bad_runtime_block_is_refused(make_folder: MakeFolder, block: Any, reason: str) -> None:
    with pytest.raises(ModelUnavailable, match=reason):
        Classifier(make_folder(runtime=block))
