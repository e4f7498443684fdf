"""Small ONNX files made by hand, and ONNX Runtime as the oracle."""

from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from edgewright.model.onnx import read_onnx


def made(nodes, *, shape=(3, 8, 8), opset=18, batch="N", outputs=("y",), constants=(), functions=(), imports=()):
    """A model of `nodes` on one input `x` of (batch, *shape); the constants by name."""
    image = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, *shape])
    given = [helper.make_empty_tensor_value_info(name) for name in outputs]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(constants).items()]
    graph = helper.make_graph(list(nodes), "g", [image], given, stored)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in imports)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=list(functions))


def runtime(path, x):
    """What ONNX Runtime makes of the file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(path), options)
    return session.run(None, {session.get_inputs()[0].name: np.asarray(x)})


def outputs_of(net, x):
    with torch.no_grad():
        found = net(x)
    return [found] if isinstance(found, torch.Tensor) else list(found)


def images(count, shape, *, seed=0, scale=1.0):
    return torch.randn((count, *shape), generator=torch.Generator().manual_seed(seed)) * scale


@pytest.fixture(scope="session")
def files():
    """Functions on files: `made` a model, `images`, `runtime` and `outputs_of` to run, `agrees` to compare both."""

    def agrees(path, x, *, tolerance=1e-4, net=None):
        net = net or read_onnx(path)
        net.graph.lint()
        got, want = outputs_of(net, x), runtime(path, x)
        assert len(got) == len(want)
        for ours, theirs in zip(got, want, strict=True):
            assert tuple(ours.shape) == theirs.shape
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=tolerance, atol=tolerance)
        return net

    return SimpleNamespace(made=made, images=images, runtime=runtime, outputs_of=outputs_of, agrees=agrees)
