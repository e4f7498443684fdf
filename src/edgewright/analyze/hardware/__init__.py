"""Hardware models of whole networks: energy, bit-serial cycles, sparse accelerators, 2:4, bit operations.

Every function takes the model and its profile, and returns frozen values with `by_layer()` and `total()`: rows of plain
data with units in their keys. All are estimates of a stated model, none is a measurement.
"""

from .bit_serial import BitSerial, SerialArray, SerialLayer, bit_serial
from .bits import activation_bits, bit_operations, total_bit_operations, weight_bits
from .column_engine import Cycles, run_columns
from .columns import ColumnEngine, CompressedColumns, compress_columns
from .energy import Energy, Memories, OperatorEnergy, compare_energy, energy_of, mac_array
from .precision import needed_bits
from .sparse_network import SparseLayer, SparseNetwork, sparse_columns
from .two_four import SPARSE_RATE, TwoFour, TwoFourLayer, is_two_four, packed_bytes, two_four

__all__ = [
    "SPARSE_RATE",
    "BitSerial",
    "ColumnEngine",
    "CompressedColumns",
    "Cycles",
    "Energy",
    "Memories",
    "OperatorEnergy",
    "SerialArray",
    "SerialLayer",
    "SparseLayer",
    "SparseNetwork",
    "TwoFour",
    "TwoFourLayer",
    "activation_bits",
    "bit_operations",
    "bit_serial",
    "compare_energy",
    "compress_columns",
    "energy_of",
    "is_two_four",
    "mac_array",
    "needed_bits",
    "packed_bytes",
    "run_columns",
    "sparse_columns",
    "total_bit_operations",
    "two_four",
    "weight_bits",
]
