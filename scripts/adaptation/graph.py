"""The graph of a model with one more layer on its embedding: what was learned is added to the old logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

LOGITS, EMBEDDING = "logits", "embedding"


class Unsuitable(ValueError):
    """The graph cannot be changed as asked; the text says why."""


def extended(
    path: Path,
    classes: int,
    added: int,
    changed: np.ndarray,
    weights: np.ndarray,
    intercepts: np.ndarray,
) -> onnx.ModelProto:
    """The graph at `path` (K logits) with K + `added` logits.

    The old logits stay; a new class starts from their mean. To those of the classes `changed` (A,) comes
    `weights` (A, D) x embedding + `intercepts` (A,). The layers before are left exactly as they are, quantised or
    not, and weights that lie in a file of their own stay there.
    """
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    outputs = {value.name: value for value in graph.output}
    if not {LOGITS, EMBEDDING} <= set(outputs):
        raise Unsuitable("model.onnx must give `logits` and `embedding`.")
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {tensor.name for tensor in graph.initializer}
    turn = next(i for i in range(1, 10_000) if f"adapted_{i}/before" not in taken)

    def name(part: str) -> str:
        return f"adapted_{turn}/{part}"

    def constant(part: str, values: np.ndarray) -> str:
        tensor = numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name(part))
        graph.initializer.append(tensor)
        return name(part)

    before = name("before")
    for node in graph.node:
        for names in (node.input, node.output):
            for place, each in enumerate(names):
                if each == LOGITS:
                    names[place] = before
    for value in [value for value in graph.value_info if value.name == LOGITS]:
        graph.value_info.remove(value)
    made = []
    if added:
        mean = constant("mean", np.full((classes, added), 1 / classes))
        made += [
            helper.make_node("MatMul", [before, mean], [name("new")], name("new")),
            helper.make_node("Concat", [before, name("new")], [name("start")], name("start"), axis=1),
        ]
    start = name("start") if added else before
    places = np.zeros((len(changed), classes + added))
    places[np.arange(len(changed)), changed] = 1
    made += [
        helper.make_node(
            "Gemm",
            [EMBEDDING, constant("weights", weights), constant("intercepts", intercepts)],
            [name("change")],
            name("change"),
            transB=1,
        ),
        helper.make_node(
            "MatMul", [name("change"), constant("places", places)], [name("spread")], name("spread")
        ),
        helper.make_node("Add", [start, name("spread")], [LOGITS], name("sum")),
    ]
    graph.node.extend(made)
    shape = outputs[LOGITS].type.tensor_type.shape.dim
    shape[1].Clear()
    shape[1].dim_value = classes + added
    return model


def head_answers(path: Path, embeddings: np.ndarray) -> np.ndarray | None:
    """The logits (N, K) that a graph gives to embeddings (N, D) that come from no photo; None where they cannot be
    computed from an embedding alone.
    """
    model = onnx.load(path, load_external_data=False)
    makers = {output: node for node in model.graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    needed, held, open_names = set(), {}, [LOGITS]
    while open_names:
        each = open_names.pop()
        if each in ("", EMBEDDING):
            continue
        if each in constants:
            held[each] = constants[each]
        elif each in makers:
            node = makers[each]
            if id(node) not in needed:
                needed.add(id(node))
                open_names += list(node.input)
        else:
            return None  # an input of the graph: the image itself, or the place
    for tensor in held.values():
        if uses_external_data(tensor):
            load_external_data_for_tensor(tensor, str(path.parent))
    row = helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["n", embeddings.shape[1]])
    outputs = [value for value in model.graph.output if value.name == LOGITS]
    nodes = [node for node in model.graph.node if id(node) in needed]
    small = helper.make_model(
        helper.make_graph(nodes, "head", [row], outputs, list(held.values())),
        opset_imports=list(model.opset_import),
        ir_version=model.ir_version,
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        small.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    # One at a time, as the server asks.
    asked = [session.run([LOGITS], {EMBEDDING: e[None].astype(np.float32)})[0][0] for e in embeddings]
    return np.stack(asked) if asked else None
