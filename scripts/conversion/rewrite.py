"""Graph rewrites before the weights are made smaller: nothing changes but rounding, and what tells the origin."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import helper, numpy_helper

CONTRIB = "com.microsoft"


def fuse_gelu(model: onnx.ModelProto) -> int:
    """Put one operator in the place of x · 0.5 · (1 + erf(x / √2)); returns how many were found.

    The runtime's own fusion does not know the order in which PyTorch's exporter writes it. Written out, it
    keeps more copies of a block's widest activations at once.
    """
    graph = model.graph
    readers: dict[str, list[onnx.NodeProto]] = {}
    writer: dict[str, onnx.NodeProto] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
        for name in node.output:
            writer[name] = node
    constants = _scalars(graph)
    kept_outputs = {output.name for output in graph.output}

    def only_reader(name: str, operator: str) -> onnx.NodeProto | None:
        found = readers.get(name, [])
        good = len(found) == 1 and found[0].op_type == operator and name not in kept_outputs
        return found[0] if good else None

    replaced: dict[str, onnx.NodeProto] = {}
    dropped: set[str] = set()
    for erf in [node for node in graph.node if node.op_type == "Erf"]:
        scaled = writer.get(erf.input[0])
        if (
            scaled is None
            or only_reader(scaled.output[0], "Erf") is None
            or not _over_root_two(scaled, constants)
        ):
            continue
        x = scaled.input[0]
        plus = only_reader(erf.output[0], "Add")
        if plus is None or not _with_constant(plus, erf.output[0], 1.0, constants):
            continue
        last = _product(x, plus.output[0], only_reader, constants)
        if last is None:
            continue
        between, final = last
        made = helper.make_node("Gelu", [x], [final.output[0]], name=f"gelu_{len(replaced)}", domain=CONTRIB)
        replaced[final.output[0]] = made
        dropped |= {scaled.output[0], erf.output[0], plus.output[0], between.output[0]}
    gone = {name for node in graph.node if node.output[0] in dropped | set(replaced) for name in node.input}
    nodes = [replaced.get(node.output[0], node) for node in graph.node if node.output[0] not in dropped]
    del graph.node[:]
    graph.node.extend(nodes)
    _forget_unread(graph, gone)
    if replaced and all(entry.domain != CONTRIB for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    return len(replaced)


def without_origin(model: onnx.ModelProto) -> None:
    """Drop where and with what a graph was exported, which is nobody's business at run time."""
    for part in (*model.graph.node, *model.functions):
        del part.metadata_props[:]
        part.doc_string = ""
    model.doc_string = model.graph.doc_string = ""
    del model.graph.metadata_props[:], model.metadata_props[:]
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer]:
        del value.metadata_props[:]
        value.doc_string = ""


def matmul_of_gemm(model: onnx.ModelProto) -> int:
    """Write every Gemm with constant weights as MatMul and Add: block-wise weights exist for MatMul alone."""
    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    uses: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    nodes, changed = [], 0
    for node in graph.node:
        options = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        plain = options.get("alpha", 1.0) == options.get("beta", 1.0) == 1.0 and not options.get("transA", 0)
        if node.op_type != "Gemm" or not plain or node.input[1] not in held:
            nodes.append(node)
            continue
        weight = node.input[1]
        if options.get("transB", 0):
            turned = numpy_helper.from_array(
                np.ascontiguousarray(numpy_helper.to_array(held[weight]).T), f"{weight}_turned"
            )
            if turned.name not in held:
                graph.initializer.append(turned)
                held[turned.name] = turned
            uses[weight] -= 1
            if not uses[weight]:
                graph.initializer.remove(held.pop(weight))
            weight = turned.name
        bias = node.input[2] if len(node.input) > 2 else ""
        output = f"{node.output[0]}_product" if bias else node.output[0]
        nodes.append(helper.make_node("MatMul", [node.input[0], weight], [output], name=f"{output}_matmul"))
        if bias:
            nodes.append(
                helper.make_node("Add", [output, bias], [node.output[0]], name=f"{node.output[0]}_add")
            )
        changed += 1
    del graph.node[:]
    graph.node.extend(nodes)
    return changed


def keep_pairs(quantised: onnx.ModelProto, exact: onnx.ModelProto) -> int:
    """Write the int8 weights of a dynamically quantised graph anew, so that no processor's sums overflow.

    Processors with AVX2 or AVX-512 but without VNNI add the products of two neighbouring rows in 16 bits, and
    cut what does not fit: two u8 activations of 255 and two weights of 127 would make 64,770. With weights whose
    neighbours' sum is at most 128, all processors give the same. By channel, so that most keep more than the
    seven bits that are the usual way out. Returns how many weights were written.
    """
    floats = {tensor.name: tensor for tensor in exact.graph.initializer}
    held = {tensor.name: tensor for tensor in quantised.graph.initializer}
    written = 0
    for name, tensor in floats.items():
        whole, scale = held.get(f"{name}_quantized"), held.get(f"{name}_scale")
        if whole is None or scale is None or whole.data_type != onnx.TensorProto.INT8:
            continue
        values = numpy_helper.to_array(tensor).astype(np.float64)
        steps = _steps(values)
        rounded = np.rint(values / steps).astype(np.int8)
        whole.CopyFrom(numpy_helper.from_array(rounded, whole.name))
        scale.CopyFrom(numpy_helper.from_array(steps.astype(np.float32), scale.name))
        written += 1
    return written


def _steps(values: np.ndarray) -> np.ndarray:
    """The step of each column, (K, N) -> (N,): the largest number becomes 127, and so does the largest sum of two
    neighbours of one sign, before both are rounded.
    """
    padded = np.concatenate([values, np.zeros((len(values) % 2, values.shape[1]))])
    largest = np.abs(values).max(axis=0)
    for signed in (padded.clip(min=0), -padded.clip(max=0)):
        largest = np.maximum(largest, (signed[0::2] + signed[1::2]).max(axis=0))
    return np.where(largest > 0, largest / 127, 1.0)


def _forget_unread(graph: onnx.GraphProto, names: set[str]) -> None:
    """Remove those of the constants `names` that no node reads any more."""
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name in names - read]:
        graph.initializer.remove(tensor)


def _scalars(graph: onnx.GraphProto) -> dict[str, float]:
    """The constants of one number."""
    found = {}
    for tensor in graph.initializer:
        if math.prod(tensor.dims) == 1 and tensor.data_type == onnx.TensorProto.FLOAT:
            found[tensor.name] = float(numpy_helper.to_array(tensor).reshape(-1)[0])
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            values = numpy_helper.to_array(node.attribute[0].t)
            if values.size == 1 and values.dtype == np.float32:
                found[node.output[0]] = float(values.reshape(-1)[0])
    return found


def _with_constant(node: onnx.NodeProto, name: str, value: float, constants: dict[str, float]) -> bool:
    """Whether a node combines `name` with the constant `value`."""
    others = [entry for entry in node.input if entry != name]
    return len(others) == 1 and math.isclose(constants.get(others[0], math.nan), value, rel_tol=1e-5)


def _over_root_two(node: onnx.NodeProto, constants: dict[str, float]) -> bool:
    """Whether a node is x / √2, written as a division or as a product."""
    factor = {"Div": math.sqrt(2), "Mul": math.sqrt(0.5)}.get(node.op_type)
    return factor is not None and math.isclose(constants.get(node.input[1], math.nan), factor, rel_tol=1e-5)


def _product(
    x: str, plus: str, only_reader: object, constants: dict[str, float]
) -> tuple[onnx.NodeProto, onnx.NodeProto] | None:
    """The two products that end a GELU, 0.5 and `x` in either order; None when they are something else."""
    assert callable(only_reader)
    between = only_reader(plus, "Mul")
    if between is None:
        return None
    final = only_reader(between.output[0], "Mul")
    if final is None:
        return None
    for one, other in ((between, final), (final, between)):
        inside = plus if one is between else between.output[0]
        outside = between.output[0] if one is between else plus
        if _with_constant(one, inside, 0.5, constants) and sorted(other.input) == sorted([x, outside]):
            return between, final
    return None
