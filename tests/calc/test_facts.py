"""Worked numbers of the literature, each reproduced by one calculation, in the digits that are printed.

A row: what it is, the calculation, its arguments, where the answer stands, the number. A number in quotes was printed
with so many digits and must agree to half of the last one; a number without quotes is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from edgewright import calc
from edgewright.errors import ConfigError

IMAGE = {"size": 224, "in_channels": 3, "out_channels": 64, "kernel": 3, "padding": "same", "bias": False}
WIDE = {"size": 112, "in_channels": 64, "out_channels": 128}
STANDARD = {**WIDE, "kernel": 3, "padding": "same", "bias": False}
SMALL = {"size": 28, "channels": 1}
PADDED = ["conv 8 k3 p1", "pool 2", "conv 16 k3 p1", "pool 2", "linear 64", "linear 10"]
COARSE = ["conv 8 k3 p1", "pool 3", "conv 16 k3 p1", "pool 3", "linear 64", "linear 10"]
CENTRE = {"values": [[1, 2, 3], [4, 9, 5], [6, 7, 8]], "kernel": 2, "stride": 1}
SQUARE = {"rows": 1024, "columns": 1024}
TERA = {"peak_ops_s": 1e12, "bandwidth_bytes_s": 25e9}
WIDEST = {"size": 112, "in_channels": 16, "out_channels": 96}
DENSE = {"in_features": 4096, "out_features": 4096}
FLOPS, INT8 = "flops_per_byte_float32", "flops_per_byte_int8"


def window(kernel, padding, stride, size, **more):
    return {"size": size, "kernel": kernel, "padding": padding, "stride": stride, **more}


# fmt: off
COUNTING: list[tuple[str, str, dict[str, Any], str, Any]] = [
    # windows (Dumoulin & Visin 2016)
    ("3,1,1 keeps 28", "output-size", window(3, 1, 1, 28), "size", 28),
    ("3,1,2 halves 28", "output-size", window(3, 1, 2, 28), "size", 14),
    ("5,2,1 keeps 28", "output-size", window(5, 2, 1, 28), "size", 28),
    ("7,3,2 halves 224", "output-size", window(7, 3, 2, 224), "size", 112),
    ("5,0,1 cuts 32", "output-size", window(5, 0, 1, 32), "size", 28),
    ("3,1,2 floors 15.5", "output-size", window(3, 1, 2, 32), "size", 16),
    ("4,2,1 grows 28", "output-size", window(4, 2, 1, 28), "size", 29),
    ("pool 3/3 of 28", "output-size", window(3, 0, 3, 28), "size", 9),
    ("pool 3/3 of 28 uses 27", "output-size", window(3, 0, 3, 28), "used", 27),
    ("pool 3/3 of 28, ceil", "output-size", window(3, 0, 3, 28, ceil=True), "size", 10),
    ("a last window in the padding is dropped", "output-size", window(2, 1, 2, 3, ceil=True), "size", 2),
    ("same padding of 5, dilated by 3", "output-size", window(5, "same", 1, 28, dilation=3), "padding", 6),
    ("same padding keeps the size", "output-size", window(5, "same", 1, 28, dilation=3), "size", 28),
    ("full padding of 5", "output-size", window(5, "full", 1, 28), "padding", 4),
    ("full padding gives H + K - 1", "output-size", window(5, "full", 1, 28), "size", 32),
    ("transposed 4,1,2", "transposed-size", window(4, 1, 2, 14), "size", 28),
    ("transposed with D and OP", "transposed-size", window(3, 1, 2, 7, output_padding=1, dilation=2), "size", 16),
    ("two 3x3 see 5", "receptive-field", {"layers": [(3, 1)] * 2}, "receptive_field", 5),
    ("three 3x3 see 7", "receptive-field", {"layers": [(3, 1)] * 3}, "receptive_field", 7),
    ("a stride widens what follows", "receptive-field", {"layers": [(7, 2), (3, 2), (3, 1)]}, "receptive_field", 19),
    # parameters
    ("conv params with bias", "conv", {**STANDARD, "bias": True}, "params", 73_728 + 128),
    ("linear params with bias", "linear", {"in_features": 784, "out_features": 64}, "params", 50_240),
    ("BN learns 2C", "batch-norm", {"size": 7, "channels": 64}, "params", 128),
    ("BN holds 2C + 1", "batch-norm", {"size": 7, "channels": 64}, "buffers", 129),
    ("LN learns 2 per element", "layer-norm", {"shape": [7, 7, 96]}, "params", 2 * 7 * 7 * 96),
    ("GN learns 2 per channel", "group-norm", {"size": 7, "channels": 64}, "params", 128),
    ("PReLU learns 1", "activation", {"kind": "prelu", "channels": 64}, "params", 1),
    ("PReLU learns C", "activation", {"kind": "prelu", "channels": 64, "per_channel": True}, "params", 64),
    ("pool learns nothing", "pool", {"size": 8, "channels": 3, "kernel": 2}, "params", 0),
    ("ReLU learns nothing", "activation", {"kind": "relu"}, "params", 0),
    ("dropout learns nothing", "activation", {"kind": "dropout"}, "params", 0),
    # elementwise work per value or output
    ("BN as written", "batch-norm", {"size": 1, "channels": 1}, "elementwise_as_written", 4),
    ("BN as scale and shift", "batch-norm", {"size": 1, "channels": 1}, "elementwise", 2),
    ("BN folded", "batch-norm", {"size": 1, "channels": 1}, "elementwise_folded", 0),
    ("max pool compares K^2 - 1", "pool", {"size": 3, "channels": 1, "kernel": 3}, "elementwise", 8),
    ("average pool adds and multiplies", "pool", {"size": 3, "channels": 1, "kernel": 3, "kind": "average"},
     "elementwise", 9),
    ("ReLU", "activation", {"kind": "relu"}, "elementwise", 1),
    ("sigmoid, about 4 to 5", "activation", {"kind": "sigmoid"}, "elementwise", 4),
    ("tanh, about 4 to 5", "activation", {"kind": "tanh"}, "elementwise", 5),
    # convolutions (Howard 2017)
    ("standard MACs", "conv", STANDARD, "macs", 924_844_032),
    ("FLOPs are 2 MACs", "conv", STANDARD, "flops", 2 * 924_844_032),
    ("standard weights", "conv", STANDARD, "weights", 73_728),
    ("depthwise MACs", "separable", WIDE, "depthwise_macs", 7_225_344),
    ("depthwise weights", "separable", WIDE, "depthwise_weights", 576),
    ("pointwise MACs", "separable", WIDE, "pointwise_macs", 102_760_448),
    ("pointwise weights", "separable", WIDE, "pointwise_weights", 8_192),
    ("separable MACs", "separable", WIDE, "macs", 109_985_792),
    ("separable weights", "separable", WIDE, "weights", 8_768),
    ("reduction of MACs", "separable", WIDE, "reduction", "8.408759"),
    *((f"reduction at C_out {channels}", "separable-table", {}, f"rows.{index}.reduction", printed)
      for index, (channels, printed) in enumerate({
          32: "7.024", 64: "7.890", 72: "8.000", 128: "8.409", 256: "8.694", 512: "8.845", 1024: "8.922"}.items())),
    ("fraction at 256", "separable-table", {}, "rows.4.fraction", "0.115017"),
    ("limit of 3x3", "separable-table", {}, "limit", 9),
    ("8 times from 72 channels", "separable-table", {}, "from_channels", 72),
    ("5x5 at 128", "separable-table", {"out_channels": [128], "kernel": 5}, "rows.0.reduction", "20.915"),
    ("4 groups", "conv", {**STANDARD, "groups": 4}, "weights", 18_432),
    ("fully connected", "linear", {"in_features": 224 * 224 * 3, "out_features": 1000}, "weights", 150_528_000),
    ("an image convolved: weights", "conv", IMAGE, "weights", 1_728),
    ("an image convolved: MACs", "conv", IMAGE, "macs", 86_704_128),
    # stacks (Simonyan & Zisserman 2014), in units of C^2
    ("2 x 3x3", "stack", {"count": 2}, "stacked_weights", 18), ("5x5", "stack", {"count": 2}, "single_weights", 25),
    ("28 % less", "stack", {"count": 2}, "saved_percent", "28"),
    ("3 x 3x3", "stack", {"count": 3}, "stacked_weights", 27), ("7x7", "stack", {"count": 3}, "single_weights", 49),
    ("44.9 % less", "stack", {"count": 3}, "saved_percent", "44.9"),
    # a small network on (1, 28, 28)
    *((f"small network, shape after layer {index}", "chain", {**SMALL, "layers": PADDED}, f"layers.{index}.shape_out",
       shape) for index, shape in enumerate([[8, 28, 28], [8, 14, 14], [16, 14, 14], [16, 7, 7], [64], [10]])),
    *((f"small network, params of layer {index}", "chain", {**SMALL, "layers": PADDED}, f"layers.{index}.params", count)
      for index, count in {0: 80, 2: 1_168, 4: 50_240, 5: 650}.items()),
    *((f"small network, MACs of layer {index}", "chain", {**SMALL, "layers": PADDED}, f"layers.{index}.macs", count)
      for index, count in {0: 56_448, 2: 225_792, 4: 50_176, 5: 640}.items()),
    ("small network, flattened", "chain", {**SMALL, "layers": [*PADDED[:4], "flatten"]}, "shape_out", [784]),
    ("small network, params", "chain", {**SMALL, "layers": PADDED}, "params", 52_138),
    ("small network, MACs", "chain", {**SMALL, "layers": PADDED}, "macs", 333_056),
    *((f"3x3 pools, shape of layer {index}", "chain", {**SMALL, "layers": COARSE}, f"layers.{index}.shape_out", shape)
      for index, shape in {1: [8, 9, 9], 2: [16, 9, 9], 3: [16, 3, 3]}.items()),
    ("3x3 pools, flattened", "chain", {**SMALL, "layers": [*COARSE[:4], "flatten"]}, "shape_out", [144]),
    ("3x3 pools, params", "chain", {**SMALL, "layers": COARSE}, "params", 11_178),
    ("3x3 pools, MACs", "chain", {**SMALL, "layers": COARSE}, "macs", 159_616),
    # backward; test_backward.py checks the general form against autograd
    ("max pool, the centre of four windows", "pool-backward", CENTRE, "gradients", [[0, 0, 0], [0, 4, 0], [0, 0, 0]]),
    ("average pool, 1/K^2 to each cell", "pool-backward", {**CENTRE, "kind": "average"}, "gradients",
     [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]),
    ("dX pads D(K-1) - P", "conv-backward", window(3, 1, 2, 8), "pad_before", 1),
    ("and r more at the far end", "conv-backward", window(3, 1, 2, 8), "rest", 1),
    ("dX has the input's size", "conv-backward", window(3, 1, 2, 8), "size_dx", 8),
    ("dW is cropped to K", "conv-backward", window(3, 1, 2, 8), "size_dw", 3),
]

FIRE = {"in_channels": 96, "squeeze": 16, "expand1": 64, "expand3": 64}
RESNET = {"in_channels": 256, "width": 64, "out_channels": 256}
INVERTED = {"in_channels": 24, "out_channels": 24}
LENET = ["conv 6 k5", "pool 2", "conv 16 k5", "pool 2", "conv 120 k5", "linear 84", "linear 10"]
ALEXNET = ["conv 96 k11 s4", "pool 3 s2", "conv 256 k5 p2 g2", "pool 3 s2", "conv 384 k3 p1", "conv 384 k3 p1 g2",
           "conv 256 k3 p1 g2", "pool 3 s2", "linear 4096", "linear 4096", "linear 1000"]
SEARCH = {"accuracy": 0.75, "target_ms": 75.0}

ARCHITECTURES: list[tuple[str, str, dict[str, Any], str, Any]] = [
    ("LeNet-5, full C3 (LeCun 1998)", "chain", {"size": 32, "channels": 1, "layers": LENET}, "params", 61_706),
    ("AlexNet in two groups (Krizhevsky 2012)", "chain", {"size": 227, "channels": 3, "layers": ALEXNET}, "params",
     60_965_224),
    # fire (Iandola 2016), bottleneck (He 2016), inverted residual (Sandler 2018)
    ("squeeze", "fire", FIRE, "weights_by_part.squeeze 1x1", 1_552),
    ("expand 1x1", "fire", FIRE, "weights_by_part.expand 1x1", 1_088),
    ("expand 3x3", "fire", FIRE, "weights_by_part.expand 3x3", 9_280),
    ("fire", "fire", FIRE, "params", 11_920), ("fire concatenates", "fire", FIRE, "out_channels", 128),
    ("reduce", "bottleneck", RESNET, "weights_by_part.reduce 1x1", 16_384),
    ("middle", "bottleneck", RESNET, "weights_by_part.middle 3x3", 36_864),
    ("expand", "bottleneck", RESNET, "weights_by_part.expand 1x1", 16_384),
    ("bottleneck", "bottleneck", RESNET, "weights", 69_632),
    ("bottleneck, BN", "bottleneck", RESNET, "batch_norm_params", 768),
    ("no projection of an equal shape", "bottleneck", RESNET, "projection", False),
    ("projection of a stride", "bottleneck", {**RESNET, "stride": 2}, "projection", True),
    ("expand", "inverted-residual", INVERTED, "weights_by_part.expand 1x1", 3_456),
    ("depthwise", "inverted-residual", INVERTED, "weights_by_part.depthwise 3x3", 1_296),
    ("project", "inverted-residual", INVERTED, "weights_by_part.project 1x1", 3_456),
    ("inverted residual", "inverted-residual", INVERTED, "weights", 8_208),
    ("inverted residual, BN", "inverted-residual", INVERTED, "batch_norm_params", 624),
    ("inverted residual, all", "inverted-residual", INVERTED, "params", 8_832),
    ("added at stride 1 and equal channels", "inverted-residual", INVERTED, "residual", True),
    ("not added at stride 2", "inverted-residual", {**INVERTED, "stride": 2}, "residual", False),
    ("not added to other channels", "inverted-residual", {**INVERTED, "out_channels": 32}, "residual", False),
    # squeeze-excite (Hu 2018)
    ("SE 64", "squeeze-excite", {"channels": 64}, "params", 580),
    ("SE 256", "squeeze-excite", {"channels": 256}, "params", 8_464),
    ("SE 512", "squeeze-excite", {"channels": 512}, "params", 33_312),
    ("SE of fewer channels than r", "squeeze-excite", {"channels": 8}, "hidden", 1),
    # shuffle (Zhang 2018; Ma 2018)
    ("6 in 2", "channel-shuffle", {"channels": 6, "groups": 2}, "order", [0, 3, 1, 4, 2, 5]),
    ("6 in 3", "channel-shuffle", {"channels": 6, "groups": 3}, "order", [0, 2, 4, 1, 3, 5]),
    ("2 is undone by 3", "channel-shuffle", {"channels": 6, "groups": 2}, "groups_to_restore", 3),
    ("V1, the branch makes out - in", "shufflenet-v1-unit", {"in_channels": 24, "out_channels": 240, "stride": 2},
     "branch_channels", 216),
    ("V1, a quarter in the middle", "shufflenet-v1-unit", {"in_channels": 240, "out_channels": 240}, "hidden", 60),
    ("hw(c1 + c2) + c1 c2", "memory-access", {"size": 28, "in_channels": 128, "out_channels": 32}, "values_moved",
     784 * 160 + 4096),
    ("equal widths: least", "memory-access", {"size": 28, "in_channels": 64, "out_channels": 64}, "excess", "1.0000"),
    # hard-swish (Howard 2019)
    ("minimum", "hard-swish", {}, "minimum", "-0.375"), ("where", "hard-swish", {}, "minimum_at", "-1.5"),
    ("gap to swish", "hard-swish", {}, "gap_to_swish", "0.142278"), ("at", "hard-swish", {}, "gap_to_swish_at", "3"),
    ("gap to sigmoid", "hard-swish", {}, "gap_to_sigmoid", "0.069182"),
    ("at", "hard-swish", {}, "gap_to_sigmoid_at", "1.317"),
    # compound scaling (Tan & Le 2019)
    ("a b^2 c^2", "compound-scaling", {}, "macs_per_unit", "1.92027"),
    ("depth 1.2^phi", "compound-scaling", {"phi": 2}, "depth", "1.44"),
    ("width 1.1^phi", "compound-scaling", {"phi": 2}, "width", "1.21"),
    ("resolution 1.15^phi", "compound-scaling", {"phi": 2}, "resolution", "1.3225"),
    *((f"{variant} {what}", "compound-scaling", {"variant": variant}, f"published_{what}", value)
      for variant, values in {"b4": (1.8, 1.4, 380), "b7": (3.1, 2.0, 600)}.items()
      for what, value in zip(("depth", "width", "resolution"), values, strict=True)),
    # search spaces and rewards (Cai 2020; Tan 2019)
    ("choices per unit", "subnets", {}, "per_unit", 7_371),
    ("sub-networks", "subnets", {}, "subnets", 21_758_655_492_572_485_851),
    ("resolutions", "subnets", {}, "resolutions", 25),
    ("80 ms of 75", "latency-reward", {**SEARCH, "latency_ms": 80.0}, "reward", "0.746619"),
    ("60 ms of 75", "latency-reward", {**SEARCH, "latency_ms": 60.0}, "reward", "0.761807"),
]

HARDWARE: list[tuple[str, str, dict[str, Any], str, Any]] = [
    # 45 nm (Horowitz 2014; Dally 2015; Han 2016)
    *((f"{table} {kind}", "energy-table", {}, f"{table}.{kind}", value) for table, values in {
        "add_pj": {"int8": 0.03, "int32": 0.1, "float16": 0.4, "float32": 0.9},
        "multiply_pj": {"int8": 0.2, "int32": 3.1, "float16": 1.1, "float32": 3.7},
        "add_um2": {"int8": 36, "int16": 67, "int32": 137, "float16": 1_360, "float32": 4_184},
        "multiply_um2": {"int8": 282, "int32": 3_495, "float16": 1_640, "float32": 7_700},
        "access_pj": {"cache-8kb": 10, "cache-32kb": 20, "cache-1mb": 100, "dram-least": 1_300, "dram-most": 2_600,
                      "dram": 640, "sram": 5},
        "access_bits": {"cache-8kb": 64, "cache-32kb": 64, "cache-1mb": 64, "dram": 32, "sram": 32},
    }.items() for kind, value in values.items()),
    ("multiply energy", "energy-ratios", {}, "multiply_energy", "18.5"),
    ("multiply area", "energy-ratios", {}, "multiply_area", "27.305"),
    ("add energy", "energy-ratios", {}, "add_energy", "30"), ("add area", "energy-ratios", {}, "add_area", "116.2"),
    ("MAC, int8 add", "energy-ratios", {}, "mac_energy_own_type_add", "20.0"),
    ("MAC, int32 add", "energy-ratios", {}, "mac_energy", "15.3"),
    ("int8 MAC, int8 add", "energy", {"macs": 1, "dtype": "int8", "accumulator": "int8"}, "pj_per_mac", "0.23"),
    ("int8 MAC, int32 add", "energy", {"macs": 1, "dtype": "int8"}, "pj_per_mac", "0.3"),
    ("DRAM read / multiply", "energy-ratios", {}, "dram_read_energy", "173"),
    ("DRAM / SRAM", "energy-ratios", {}, "dram_over_sram_energy", "128"),
    ("DRAM read in multiplications", "memory-energy", {"read_bytes": 4}, "multiplications", "173"),
    ("64 bits from 8 KB", "memory-energy", {"read_bytes": 8, "level": "cache-8kb"}, "energy_j", pytest.approx(10e-12)),
    ("64 bits from 1 MB", "memory-energy", {"read_bytes": 8, "level": "cache-1mb"}, "energy_j", pytest.approx(100e-12)),
    # memory of one layer: the widest of MobileNet V2
    ("112x112, 16 -> 96", "layer-memory", WIDEST, "peak_bytes", 1_404_928),
    ("in KiB", "layer-memory", WIDEST, "peak_kib", 1372),
    ("of 320 KB", "layer-memory", {**WIDEST, "ram_kib": 320.0}, "share_of_ram", "4.3"),
    # roofline (Williams 2009)
    ("ridge", "roofline", TERA, "ridge_ops_per_byte", 40),
    ("I = .5", "roofline", {**TERA, "ops_per_byte": 0.5}, "attainable_ops_s", 12.5e9),
    ("I = 10", "roofline", {**TERA, "ops_per_byte": 10}, "attainable_ops_s", 250e9),
    ("I = 84.6", "roofline", {**TERA, "ops_per_byte": 84.6}, "attainable_ops_s", 1000e9),
    ("A100, fp32", "roofline", {"peak_ops_s": 19.5e12, "bandwidth_bytes_s": 1.555e12}, "ridge_ops_per_byte", "12.54"),
    ("A100, fp16", "roofline", {"peak_ops_s": 312e12, "bandwidth_bytes_s": 1.555e12}, "ridge_ops_per_byte", "200.6"),
    # intensity with ideal reuse
    ("conv 3x3, fp32", "conv", STANDARD, FLOPS, "186.30"), ("conv 3x3, int8", "conv", STANDARD, INT8, "745.19"),
    ("depthwise, fp32", "depthwise", {"size": 112, "channels": 64, "padding": 1}, FLOPS, "2.249"),
    ("depthwise, int8", "depthwise", {"size": 112, "channels": 64, "padding": 1}, INT8, "8.997"),
    ("pointwise, fp32", "conv", {**WIDE, "kernel": 1}, FLOPS, "21.26"),
    ("pointwise, int8", "conv", {**WIDE, "kernel": 1}, INT8, "85.04"),
    ("FC, batch 1", "linear", DENSE, FLOPS, "0.49976"),
    ("FC, batch 8", "linear", {**DENSE, "batch": 8}, FLOPS, "3.984"),
    ("FC, batch 64", "linear", {**DENSE, "batch": 64}, FLOPS, "31.03"),
    # bit-serial (Judd 2016)
    *((f"p = {bits}", "stripes", {"macs": [1.0], "bits": [bits]}, "speed_up", printed)
      for bits, printed in {8: "2", 9: "1.778", 4: "4"}.items()),
    ("network", "stripes", {"macs": [1, 2, 1.5], "bits": [9, 8, 5]}, "speed_up", "2.21538"),
    ("fully connected: no gain", "stripes", {"macs": [1.0], "bits": [8], "fixed_macs": 1.0}, "speed_up", "1.3333"),
    # compressed columns (Han 2016): its own example column
    ("EIE, weights", "eie-column", {"values": [0, 0, 1, 2, *[0] * 18, 3]}, "stored", [1, 2, 0, 3]),
    ("EIE, zero counts", "eie-column", {"values": [0, 0, 1, 2, *[0] * 18, 3]}, "zero_counts", [2, 0, 15, 2]),
    ("EIE, 15 zeros need no padding", "eie-column", {"values": [*[0] * 15, 3]}, "padding_zeros", 0),
    ("EIE, 16 zeros do", "eie-column", {"values": [*[0] * 16, 3]}, "padding_zeros", 1),
    ("EIE, 4 + 4 bits an entry", "eie-column", {"values": [0, 0, 1, 2, *[0] * 18, 3]}, "column_bytes", 4),
    ("EIE, zero activations are skipped", "eie", {"rows": 8, "columns": 10, "density": 1.0, "activation_density": 0.3},
     "multiplications", "24.0"),
    # 2:4 (Mishra 2021)
    *((f"code of {places}", "sparse-pattern", {"positions": places}, "code", code) for places, code in {
        (0, 1): 4, (0, 2): 8, (0, 3): 12, (1, 2): 9, (1, 3): 13, (2, 3): 14}.items()),
    *((f"2:4 {dtype} {key}", "sparsity", {**SQUARE, "dtype": dtype}, key, value)
      for dtypes, row in {
          ("float16", "bfloat16"): (64, 36, "1.7778", "43.75", 2_097_152, 1_179_648),
          ("int8", "float8"): (32, 20, "1.6", "37.5", 1_048_576, 655_360),
          ("int4",): (16, 12, "1.3333", "25", 524_288, 393_216),
          ("float32",): (128, 68, "1.8824", "46.875", 4_194_304, 2_228_224)}.items()
      for dtype in dtypes
      for key, value in zip(("dense_bits_per_group", "packed_bits_per_group", "ratio", "saved_percent", "dense_bytes",
                             "packed_bytes"), row, strict=True)),
    ("bits of six patterns", "sparsity", SQUARE, "position_bits", "2.585"),
    ("4 bits per group, 1 per value", "sparsity", SQUARE, "metadata_bytes", 1024 * 1024 // 8),
    ("share of the bytes", "sparsity", SQUARE, "weight_share", 0.5625), ("peak", "sparsity", SQUARE, "peak_gain", 2),
    ("bound by weights", "sparsity", SQUARE, "weight_bound_gain", "1.778"),
    ("1:2 of TF32 keeps one of two", "sparsity", {**SQUARE, "dtype": "tf32", "pattern": "1:2"}, "packed_bits_per_group",
     32 + 4),
    ("4:8 of int4 keeps two pairs", "sparsity", {**SQUARE, "dtype": "int4", "pattern": "4:8"}, "packed_bits_per_group",
     4 * 4 + 4),
    # compressed rows and a bitmap, fp32
    ("CSR, 50 %", "unstructured", {**SQUARE, "zeros": 0.5}, "csr_bytes", 4_198_404),
    ("CSR, 50 %", "unstructured", {**SQUARE, "zeros": 0.5}, "csr_ratio", "0.999"),
    ("CSR, 80 %", "unstructured", {**SQUARE, "zeros": 0.8}, "csr_ratio", "2.494"),
    ("CSR, 90 %", "unstructured", {**SQUARE, "zeros": 0.9}, "csr_ratio", "4.976"),
    ("bitmap, 50 %", "unstructured", {**SQUARE, "zeros": 0.5}, "bitmap_bytes", 2_228_224),
]
# fmt: on


def found(result: Mapping[str, Any], place: str) -> Any:
    """The value at `place`, whose parts are keys and indices joined by dots."""
    value: Any = result
    for part in place.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def agrees(value: Any, expected: Any) -> bool:
    if not isinstance(expected, str):
        return value == expected
    printed = Decimal(expected)
    half_of_last_digit = Decimal((0, (5,), printed.as_tuple().exponent - 1))
    return abs(Decimal(value) - printed) <= half_of_last_digit * Decimal("1.000001")


@pytest.mark.parametrize(
    ("calculation", "arguments", "place", "expected"),
    [
        pytest.param(*row[1:], id=f"{section}: {row[1]}, {row[0]}")
        for section, rows in {"counting": COUNTING, "architectures": ARCHITECTURES, "hardware": HARDWARE}.items()
        for row in rows
    ],
)
def test_a_published_number_is_reproduced(calculation, arguments, place, expected):
    value = found(calc.CALCULATIONS[calculation](**arguments).result, place)
    assert agrees(value, expected), f"{place} is {value}, published is {expected}"


def test_the_comparison_of_printed_digits_is_strict():
    assert agrees(8.4087594, "8.408759") and not agrees(8.4087602, "8.408759")
    assert agrees(7.9999, "8.000") and not agrees(7.9994, "8.000")
    assert agrees(80, 80) and not agrees(80.0001, 80)


def test_an_image_fully_connected_has_87111_times_the_weights_of_a_convolution():
    dense = calc.linear(in_features=224 * 224 * 3, out_features=1000).result["weights"]
    assert agrees(dense / calc.conv(**IMAGE).result["weights"], "87111.1")


def test_separable_shrinks_weights_by_as_much_as_macs():
    result = calc.separable(**WIDE).result
    assert agrees(result["standard_weights"] / result["weights"], "8.408759")


def test_same_padding_needs_an_odd_kernel():
    with pytest.raises(ConfigError, match="'same' needs D"):
        calc.output_size(size=28, kernel=4, padding="same")


SHUFFLENET_V1 = {1: (144, "143.08"), 2: (200, "140.84"), 3: (240, None), 4: (272, "134.34"), 8: (384, "138.37")}


@pytest.mark.parametrize("groups", SHUFFLENET_V1)
def test_shufflenet_v1_is_the_sum_of_its_units(groups):
    """Zhang 2018: 1865728 params and 137460672 MACs with 3 groups; MACs in millions with others."""
    width, millions = SHUFFLENET_V1[groups]
    stem = calc.chain(size=224, channels=3, layers=["conv 24 k3 s2 p1 nobias", "batch-norm", "pool 3 s2 p1"]).result
    params, macs, channels, size = stem["params"], stem["macs"], 24, 56
    for stage, repeats in enumerate((3, 7, 3)):
        out = width * 2**stage
        down = {"in_channels": channels, "out_channels": out, "stride": 2, "size": size, "grouped_first": stage > 0}
        units = [down, *[{"in_channels": out, "out_channels": out, "size": size // 2}] * repeats]
        for unit in units:
            worked = calc.shufflenet_v1_unit(groups=groups, **unit).result
            params, macs = params + worked["params"], macs + worked["macs"]
        channels, size = out, size // 2
    head = calc.linear(in_features=channels, out_features=1000).result
    params, macs = params + head["params"], macs + head["macs"]
    if millions is None:
        assert (params, macs) == (1_865_728, 137_460_672)
    else:
        assert agrees(macs / 1e6, millions)
