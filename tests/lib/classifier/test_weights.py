"""The files that a graph names for its weights, wherever in it a tensor may be; and what is no graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lib.classifier import ModelUnavailable, weights


def elsewhere(name: str, location: str) -> onnx.TensorProto:
    """A tensor whose numbers are in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2, 2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("offset", "0"), ("location", location), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def graph_of(
    name: str, *tensors: onnx.TensorProto, nodes: tuple[onnx.NodeProto, ...] = ()
) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), name, [], [], list(tensors))


def written(path: Path, graph: onnx.GraphProto, *functions: onnx.FunctionProto) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], functions=list(functions))
    path.write_bytes(model.SerializeToString())
    return path


def test_a_graph_that_holds_its_weights_names_no_file(tmp_path: Path) -> None:
    large = numpy_helper.from_array(np.arange(100_000, dtype=np.float32), "w")
    assert weights.files(written(tmp_path / "m.onnx", graph_of("g", large))) == set()


def test_every_file_is_named_once(tmp_path: Path) -> None:
    held = [elsewhere("a", "one.data"), elsewhere("b", "two.data"), elsewhere("c", "one.data")]
    assert weights.files(written(tmp_path / "m.onnx", graph_of("g", *held))) == {"one.data", "two.data"}


def test_tensors_are_found_in_all_places(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["c"], value=elsewhere("c", "node.data"))
    inner = graph_of("inner", elsewhere("i", "inner.data"))
    branch = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=graph_of("empty"))
    sparse = onnx.SparseTensorProto(values=elsewhere("s", "sparse.data"))
    graph = graph_of("g", nodes=(constant, branch))
    graph.sparse_initializer.append(sparse)
    several = graph.node.add(op_type="Strange")
    attribute = several.attribute.add(name="many", type=onnx.AttributeProto.TENSORS)
    attribute.tensors.append(elsewhere("t", "many.data"))
    function = helper.make_function(
        "own", "F", [], ["z"], [helper.make_node("Constant", [], ["z"], value=elsewhere("z", "function.data"))],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    found = weights.files(written(tmp_path / "m.onnx", graph, function))
    assert found == {"node.data", "inner.data", "sparse.data", "many.data", "function.data"}


def test_names_are_told_as_they_are(tmp_path: Path) -> None:
    held = [elsewhere("a", "../草.data"), elsewhere("b", "/etc/passwd")]
    assert weights.files(written(tmp_path / "m.onnx", graph_of("g", *held))) == {"../草.data", "/etc/passwd"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a model",
        b"\x3a\x05",  # a graph of five bytes that are not there
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length without end
        b"\x08",  # a number that is not there
        b"\x09\x01",  # eight bytes of which one is there
        b"\x3a\x0c\x2a\x0a\x6a\x08\x0a\x08location",  # an entry that ends before its message does
        b"\x3a\x0a\x2a\x08\x6a\x06\x0a\x08loca",  # a key that is longer than its entry
    ],
)
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"m\.onnx is not an ONNX graph"):
        weights.files(path)


def test_a_graph_cut_short_is_refused_or_names_less_wherever_it_is_cut(tmp_path: Path) -> None:
    path = written(tmp_path / "m.onnx", graph_of("g", elsewhere("a", "one.data")))
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        try:
            assert weights.files(path) <= {"one.data"}
        except ModelUnavailable:
            continue


def test_a_missing_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="missing from the model folder"):
        weights.files(tmp_path / "m.onnx")
