"""The kernels of this machine for a matrix with zeros: dense, and every one for compressed rows that is installed.

A kernel is a function of a matrix in the table `CSR_KERNELS`: it brings the matrix into its form once, outside of all
measurements, and gives back what multiplies it with columns.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse  # type: ignore[import-untyped]
import torch


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A matrix in the form that one kernel takes; call it with the columns."""

    run: Callable[[torch.Tensor], object]
    num_bytes: int  # of the values, and of all indices beside them


def as_dense(matrix_RC: np.ndarray) -> Ready:
    weight = torch.from_numpy(np.ascontiguousarray(matrix_RC))
    return Ready(run=lambda columns_CP: torch.mm(weight, columns_CP), num_bytes=matrix_RC.nbytes)


def _as_scipy_csr(matrix_RC: np.ndarray) -> Ready:
    rows = scipy.sparse.csr_array(matrix_RC)
    return Ready(run=lambda columns_CP: rows @ columns_CP.numpy(), num_bytes=_csr_bytes(rows))


def _as_torch_csr(matrix_RC: np.ndarray) -> Ready:
    rows = scipy.sparse.csr_array(matrix_RC)
    starts, indices, values = (torch.from_numpy(each) for each in (rows.indptr, rows.indices, rows.data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls the layout beta, once in a process
        weight = torch.sparse_csr_tensor(starts, indices, values, size=matrix_RC.shape)
    return Ready(run=lambda columns_CP: weight @ columns_CP, num_bytes=_csr_bytes(rows))


def _csr_bytes(rows: scipy.sparse.csr_array) -> int:
    return rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes


def _as_runtime_csr(matrix_RC: np.ndarray) -> Ready:
    """ONNX Runtime's one operator on a sparse matrix. The sparse operand is an input: stored ones are made dense."""
    import onnxruntime as ort

    rows = scipy.sparse.csr_array(matrix_RC)
    inner, outer = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)  # it takes no other type
    here = ort.OrtDevice.make("cpu", 0)
    stored = ort.SparseTensor.sparse_csr_from_numpy(np.array(matrix_RC.shape), rows.data, inner, outer, here)
    weight = ort.OrtValue.ort_value_from_sparse_tensor(stored)
    session = _sparse_session(matrix_RC.shape)

    def run(columns_CP: torch.Tensor) -> Any:
        columns = ort.OrtValue.ortvalue_from_numpy(columns_CP.numpy())
        return session.run_with_ort_values(["y"], {"weight": weight, "columns": columns})[0].numpy()

    return Ready(run=run, num_bytes=rows.data.nbytes + inner.nbytes + outer.nbytes)


def _sparse_session(shape: tuple[int, ...]) -> Any:
    import onnx
    import onnxruntime as ort
    from onnx import helper

    number, domain = onnx.TensorProto.FLOAT, "com.microsoft"
    graph = helper.make_graph(
        [helper.make_node("SparseToDenseMatMul", ["weight", "columns"], ["y"], domain=domain)], "product",
        [helper.make_sparse_tensor_value_info("weight", number, shape),
         helper.make_tensor_value_info("columns", number, [shape[1], None])],
        [helper.make_tensor_value_info("y", number, [shape[0], None])],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(domain, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


CSR_KERNELS: Mapping[str, Callable[[np.ndarray], Ready]] = {
    "scipy CSR": _as_scipy_csr,
    "torch CSR": _as_torch_csr,
    "ONNX Runtime CSR": _as_runtime_csr,
}
"""The kernels for compressed rows that are installed with the package."""
