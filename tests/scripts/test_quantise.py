"""Every way to make a graph smaller, on one whose answers are known; what is written, and refusals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from scripts.conversion import offline, rewrite
from scripts.conversion.quantise import (
    CHOICE,
    METHODS,
    VARIANTS,
    QuantisationError,
    choose,
    quantise,
    weights,
)

SIDE, WIDTH, CLASSES = 16, 64, 40
GENERATOR = np.random.default_rng(3)
PHOTOS = [{"image": GENERATOR.normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)} for _ in range(12)]
SMALLER = [name for name, variant in VARIANTS.items() if variant.kind == "dynamic"]
SMALLER += [name for name, variant in VARIANTS.items() if variant.kind == "static"]


def constant(name: str, values: object) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def gelu_nodes(x: str, y: str, half_first: bool = True) -> list[onnx.NodeProto]:
    """x · 0.5 · (1 + erf(x / √2)), in one of the orders in which it is written."""
    first, last = (["half", "plus"], [x, "mul"]) if half_first else ([x, "plus"], ["mul", "half"])
    return [
        helper.make_node("Div", [x, "root"], ["div"]),
        helper.make_node("Erf", ["div"], ["erf"]),
        helper.make_node("Add", ["erf", "one"], ["plus"]),
        helper.make_node("Mul", first, ["mul"]),
        helper.make_node("Mul", last, [y]),
    ]


GELU_CONSTANTS = [constant("root", math.sqrt(2)), constant("one", 1), constant("half", 0.5)]


def block() -> onnx.ModelProto:
    """A convolution of patches, a normalisation, a GELU between two products: what a Swin is made of."""
    r = np.random.default_rng(1)
    nodes = [
        helper.make_node("Conv", ["image", "patches"], ["seen"], strides=[4, 4]),
        helper.make_node("GlobalAveragePool", ["seen"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("LayerNormalization", ["flat", "scale"], ["normal"]),
        helper.make_node("MatMul", ["normal", "wide"], ["broad"]),
        *gelu_nodes("broad", "active"),
        helper.make_node("MatMul", ["active", "narrow"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "head", "bias"], ["logits"], transB=1),
    ]
    held = [
        constant("patches", r.normal(size=(WIDTH, 3, 4, 4))),
        constant("scale", np.ones(WIDTH)),
        constant("wide", r.normal(size=(WIDTH, 4 * WIDTH)) / 8),
        constant("narrow", r.normal(size=(4 * WIDTH, WIDTH)) / 16),
        constant("head", r.normal(size=(CLASSES, WIDTH)) / 8),
        constant("bias", r.normal(size=CLASSES)),
        *GELU_CONSTANTS,
    ]
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, WIDTH]),
        ],
        held,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "float32.onnx"
    onnx.save(block(), path)
    return path


def answers(graph: Path | onnx.ModelProto) -> np.ndarray:
    """The logits of every photo."""
    given = str(graph) if isinstance(graph, Path) else graph.SerializeToString()
    session = onnxruntime.InferenceSession(given, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], photo)[0] for photo in PHOTOS])


def held(path: Path) -> onnx.ModelProto:
    return onnx.load(path, load_external_data=False)


class TestQuantise:
    def test_float32_answers_as_before_from_a_file_of_weights(self, source: Path, tmp_path: Path) -> None:
        before = source.read_bytes()
        made = quantise(source, tmp_path / "made", "none")
        assert made.method == "none"
        assert made.files == ("model.onnx", "model.onnx.data")
        assert sorted(path.name for path in (tmp_path / "made").iterdir()) == list(made.files)
        assert made.runtime == {
            "optimised": "extended",
            "onnxruntime": onnxruntime.__version__,
            "prepacking": False,
        }
        assert np.abs(answers(tmp_path / "made" / "model.onnx") - answers(source)).max() < 1e-5
        assert source.read_bytes() == before
        inline = [
            t for t in held(tmp_path / "made" / "model.onnx").graph.initializer if len(t.raw_data) > 1024
        ]
        assert not inline

    @pytest.mark.parametrize("method", SMALLER)
    def test_whole_numbers_agree_with_float32_in_a_third_of_the_bytes(
        self, source: Path, tmp_path: Path, method: str
    ) -> None:
        made = quantise(source, tmp_path / "made", method, PHOTOS)
        exact, found = answers(source), answers(tmp_path / "made" / "model.onnx")
        difference = np.abs(found - exact).max()
        assert 0 < difference < 0.1 * np.ptp(exact)
        weight = (tmp_path / "made" / "model.onnx.data").stat().st_size
        assert weight < 4 * weights(block()) / 2.5
        assert "int8" in made.text

    @pytest.mark.parametrize("method", ["none", "dynamic-int8", "static-int8"])
    def test_nothing_is_written_that_holds_on_one_processor_alone(
        self, source: Path, tmp_path: Path, method: str
    ) -> None:
        quantise(source, tmp_path, method, PHOTOS)
        nodes = held(tmp_path / "model.onnx").graph.node
        assert not {"com.microsoft.nchwc"} & {node.domain for node in nodes}
        assert not {"ReorderInput", "ReorderOutput"} & {node.op_type for node in nodes}
        assert "Gelu" in {node.op_type for node in nodes}

    def test_a_plain_graph_is_one_file_and_asks_nothing(self, source: Path, tmp_path: Path) -> None:
        quantise(source, tmp_path / "made", "dynamic-int8")
        made = quantise(source, tmp_path / "made", "dynamic-int8", plain=True)
        assert made.files == ("model.onnx",)
        assert made.runtime == {}
        # What was there before does not stay behind.
        assert [path.name for path in (tmp_path / "made").iterdir()] == ["model.onnx"]
        assert np.abs(answers(tmp_path / "made" / "model.onnx") - answers(source)).max() < 0.5

    def test_weights_may_lie_beside_the_source(self, source: Path, tmp_path: Path) -> None:
        apart = tmp_path / "apart"
        apart.mkdir()
        onnx.save(onnx.load(source), apart / "f.onnx", save_as_external_data=True, location="f.data")
        quantise(apart / "f.onnx", tmp_path / "made", "dynamic-int8")
        assert np.abs(answers(tmp_path / "made" / "model.onnx") - answers(source)).max() < 0.5

    def test_an_unknown_method_is_refused(self, source: Path, tmp_path: Path) -> None:
        with pytest.raises(
            QuantisationError, match=r"unknown method 'int3'; known are auto, none, dynamic-int8"
        ):
            quantise(source, tmp_path / "made", "int3")
        assert not (tmp_path / "made").exists()

    def test_static_numbers_need_photos(self, source: Path, tmp_path: Path) -> None:
        with pytest.raises(QuantisationError, match="static-int8 needs calibration photos"):
            quantise(source, tmp_path / "made", "static-int8")

    def test_a_graph_without_large_weights_is_one_file(self, tmp_path: Path) -> None:
        graph = helper.make_graph(
            [helper.make_node("Relu", ["image"], ["logits"])],
            "small",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.save(model, tmp_path / "small.onnx")
        assert quantise(tmp_path / "small.onnx", tmp_path / "made", "none").files == ("model.onnx",)
        assert [path.name for path in (tmp_path / "made").iterdir()] == ["model.onnx"]


class TestChoice:
    def test_it_knows_every_size(self) -> None:
        limits = [limit for limit, _ in CHOICE]
        assert limits == sorted(limits)
        assert limits[-1] == math.inf
        assert {method for _, method in CHOICE} <= set(VARIANTS)
        assert METHODS[0] == "auto"

    @pytest.mark.parametrize("million", [0.1, 4.7, 29.8, 89.8, 199.5, 1000])
    def test_auto_takes_it(self, million: float) -> None:
        expected = next(method for limit, method in CHOICE if million <= limit)
        assert choose(int(million * 1e6)) == expected

    def test_auto_writes_it(self, source: Path, tmp_path: Path) -> None:
        assert quantise(source, tmp_path / "made").method == choose(weights(block()))


def small(
    nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto], outputs: tuple[str, ...]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "part",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 6])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def outputs_of(model: onnx.ModelProto) -> list[np.ndarray]:
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(2, 6)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"x": x}))


class TestFuseGelu:
    @pytest.mark.parametrize("half_first", [True, False])
    def test_it_becomes_one_operator(self, half_first: bool) -> None:
        model = small(gelu_nodes("x", "y", half_first), GELU_CONSTANTS, ("y",))
        before = outputs_of(model)
        assert rewrite.fuse_gelu(model) == 1
        assert [node.op_type for node in model.graph.node] == ["Gelu"]
        assert not model.graph.initializer
        assert outputs_of(model)[0] == pytest.approx(before[0], abs=1e-6)

    @pytest.mark.parametrize(
        "constants",
        [
            [constant("root", 1.5), constant("one", 1), constant("half", 0.5)],
            [constant("root", math.sqrt(2)), constant("one", 2), constant("half", 0.5)],
            [constant("root", math.sqrt(2)), constant("one", 1), constant("half", 0.25)],
        ],
    )
    def test_other_constants_are_something_else(self, constants: list[onnx.TensorProto]) -> None:
        model = small(gelu_nodes("x", "y"), constants, ("y",))
        assert rewrite.fuse_gelu(model) == 0
        assert len(model.graph.node) == 5

    def test_a_part_that_is_read_elsewhere_stays(self) -> None:
        model = small(gelu_nodes("x", "y"), GELU_CONSTANTS, ("y", "erf"))
        assert rewrite.fuse_gelu(model) == 0

    def test_a_product_with_another_input_stays(self) -> None:
        nodes = gelu_nodes("x", "y")
        nodes[-1].input[0] = "other"
        model = small(nodes, [*GELU_CONSTANTS, constant("other", np.ones((2, 6)))], ("y",))
        assert rewrite.fuse_gelu(model) == 0


class TestMatmulOfGemm:
    def test_the_answers_stay(self) -> None:
        r = np.random.default_rng(0)
        weight, turned = r.normal(size=(6, 4)), r.normal(size=(4, 6))
        nodes = [
            helper.make_node("Gemm", ["x", "weight"], ["plain"]),
            helper.make_node("Gemm", ["x", "turned", "bias"], ["one"], transB=1),
            helper.make_node("Gemm", ["x", "turned"], ["two"], transB=1),
            helper.make_node("Gemm", ["x", "weight"], ["scaled"], alpha=2.0),
        ]
        constants = [
            constant("weight", weight),
            constant("turned", turned),
            constant("bias", r.normal(size=4)),
        ]
        model = small(nodes, constants, ("plain", "one", "two", "scaled"))
        before = outputs_of(model)
        assert rewrite.matmul_of_gemm(model) == 3
        assert [node.op_type for node in model.graph.node] == ["MatMul", "MatMul", "Add", "MatMul", "Gemm"]
        for found, expected in zip(outputs_of(model), before, strict=True):
            assert found == pytest.approx(expected, abs=1e-5)
        # The weights that nobody reads any more are not shipped.
        assert {tensor.name for tensor in model.graph.initializer} == {"weight", "turned_turned", "bias"}


def pair_sums(weights: np.ndarray) -> int:
    """The largest sum of two neighbouring rows' numbers of one sign."""
    w = np.concatenate([weights, np.zeros((len(weights) % 2, weights.shape[1]))]).astype(int)
    return max((s[0::2] + s[1::2]).max() for s in (w.clip(min=0), -w.clip(max=0)))


class TestPairs:
    """255 x 128 fits into the 16 bits in which processors without VNNI add two products."""

    def int8(self, path: Path) -> dict[str, np.ndarray]:
        model = onnx.load(path)
        return {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in model.graph.initializer
            if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 2
        }

    @pytest.mark.parametrize("plain", [True, False])
    def test_no_sum_of_two_products_overflows(self, source: Path, tmp_path: Path, plain: bool) -> None:
        quantise(source, tmp_path / "made", "dynamic-int8", plain=plain)
        held = self.int8(tmp_path / "made" / "model.onnx")
        # The head too, whose weights lie turned in the source.
        assert sorted(values.shape for values in held.values()) == [(64, 40), (64, 256), (256, 64)]
        assert 100 < max(pair_sums(values) for values in held.values()) <= 128

    def test_in_all_eight_bits_it_would(self, source: Path, tmp_path: Path) -> None:
        quantise(source, tmp_path / "made", "dynamic-int8-full")
        assert max(map(pair_sums, self.int8(tmp_path / "made" / "model.onnx").values())) > 150

    def test_it_is_nearer_to_float32_than_seven_bits(self, source: Path, tmp_path: Path) -> None:
        exact = answers(source)
        far = {}
        for method in ("dynamic-int8", "dynamic-int8-7bit"):
            quantise(source, tmp_path / method, method)
            far[method] = np.abs(answers(tmp_path / method / "model.onnx") - exact).mean()
        assert far["dynamic-int8"] < far["dynamic-int8-7bit"]

    def test_odd_rows_and_empty_columns(self) -> None:
        weights = np.array([[1.0, 0, -1], [1, 0, 1], [-2, 0, 3]])
        steps = rewrite._steps(weights)
        assert steps == pytest.approx([2 / 127, 1, 3 / 127])
        assert pair_sums(np.rint(weights / steps)) <= 128


def test_an_empty_file_of_weights_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / offline.WEIGHTS).touch()
    assert offline.present(tmp_path) == (offline.GRAPH,)
    assert not (tmp_path / offline.WEIGHTS).exists()
