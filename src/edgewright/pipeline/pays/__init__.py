"""Does this sparsity pay? Measured here, layer by layer and as a whole; told for other devices by their kernels.

layers     each heavy layer as a matrix product: dense, masked, compressed rows, cut (`verify.sparse_times`)
models     the whole model in ONNX Runtime: dense, masked and cut, at the same sparsities, scored where there is data
benefits   bytes, skipped MACs, joules, unread inputs: what zeros are worth where time is not the question
devices    pattern + hardware + kernel (`analyze.hardware.kernels`); no kernel, no claim
"""

from .ask import Pays, PaysAnswer, does_it_pay
from .benefits import Benefit
from .layers import LayerAnswer
from .models import ModelRow

__all__ = ["Benefit", "LayerAnswer", "ModelRow", "Pays", "PaysAnswer", "does_it_pay"]
