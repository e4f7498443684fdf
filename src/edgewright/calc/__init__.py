"""Closed-form answers, worked step by step: formula, numbers put in, result.

`CALCULATIONS` is the table that the command line reads; every entry takes keyword arguments and gives a `Worked`.
"""

from collections.abc import Callable, Mapping

from .activations import activation, hard_swish
from .backward import conv_backward, pool_backward
from .blocks import bottleneck, fire, inverted_residual, squeeze_excite, stack
from .chains import chain
from .coding import huffman, weight_sharing
from .elementwise import batch_norm, group_norm, layer_norm, pool
from .energies import energy, energy_ratios, energy_table, memory_energy
from .formats import fixed_number, float_number
from .hardware import layer_memory, roofline, stripes
from .layers import conv, depthwise, linear, transposed
from .numbers import integer_dot, quantize, requantize
from .scaling import compound_scaling, latency_reward, subnets
from .separables import separable, separable_table
from .shuffle import channel_shuffle, memory_access, shufflenet_v1_unit, shufflenet_v2_unit
from .sparse import sparse_pattern, sparse_row, sparsity, sparsity_table, unstructured
from .sparse_columns import eie, eie_column
from .windows import output_size, receptive_field, transposed_size
from .worked import Step, Worked

GROUPS: Mapping[str, Mapping[str, Callable[..., Worked]]] = {
    "Layers": {
        "conv": conv, "depthwise": depthwise, "separable": separable, "separable-table": separable_table,
        "transposed": transposed, "linear": linear, "pool": pool, "batch-norm": batch_norm, "layer-norm": layer_norm,
        "group-norm": group_norm, "activation": activation, "hard-swish": hard_swish,
    },
    "Windows": {
        "output-size": output_size, "transposed-size": transposed_size, "receptive-field": receptive_field,
        "conv-backward": conv_backward, "pool-backward": pool_backward,
    },
    "Blocks and networks": {
        "chain": chain, "stack": stack, "fire": fire, "bottleneck": bottleneck, "inverted-residual": inverted_residual,
        "squeeze-excite": squeeze_excite, "channel-shuffle": channel_shuffle, "shufflenet-v1-unit": shufflenet_v1_unit,
        "shufflenet-v2-unit": shufflenet_v2_unit, "memory-access": memory_access, "compound-scaling": compound_scaling,
        "subnets": subnets, "latency-reward": latency_reward,
    },
    "Numbers": {
        "quantize": quantize, "requantize": requantize, "integer-dot": integer_dot, "float": float_number,
        "fixed": fixed_number,
    },
    "Sparse storage": {
        "sparsity": sparsity, "sparsity-table": sparsity_table, "sparse-pattern": sparse_pattern,
        "sparse-row": sparse_row, "unstructured": unstructured, "eie": eie, "eie-column": eie_column,
        "weight-sharing": weight_sharing, "huffman": huffman,
    },
    "Machines": {
        "roofline": roofline, "layer-memory": layer_memory, "energy": energy, "memory-energy": memory_energy,
        "energy-ratios": energy_ratios, "energy-table": energy_table, "stripes": stripes,
    },
}  # fmt: skip
"""The calculations by subject, in the order of the help page."""

CALCULATIONS: Mapping[str, Callable[..., Worked]] = {
    name: calculation for group in GROUPS.values() for name, calculation in group.items()
}

__all__ = [
    "CALCULATIONS",
    "GROUPS",
    "Step",
    "Worked",
    "activation",
    "batch_norm",
    "bottleneck",
    "chain",
    "channel_shuffle",
    "compound_scaling",
    "conv",
    "conv_backward",
    "depthwise",
    "eie",
    "eie_column",
    "energy",
    "energy_ratios",
    "energy_table",
    "fire",
    "fixed_number",
    "float_number",
    "group_norm",
    "hard_swish",
    "integer_dot",
    "inverted_residual",
    "latency_reward",
    "layer_memory",
    "layer_norm",
    "linear",
    "memory_access",
    "memory_energy",
    "output_size",
    "pool",
    "pool_backward",
    "quantize",
    "receptive_field",
    "requantize",
    "roofline",
    "separable",
    "separable_table",
    "shufflenet_v1_unit",
    "shufflenet_v2_unit",
    "sparse_pattern",
    "sparse_row",
    "sparsity",
    "sparsity_table",
    "squeeze_excite",
    "stack",
    "stripes",
    "subnets",
    "transposed",
    "transposed_size",
    "unstructured",
]
