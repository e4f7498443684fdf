"""The views of `analyze` on hardware that does not stand on the desk: energy, precision, zeros, patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .cost_listing import NAME, Asked, Listing, View

if TYPE_CHECKING:
    from ..analyze.analysis import Analysis

MOST_WINDOWS = 256  # of a layer, evenly spaced: all of a large image would take minutes
MIN_SQNR_DB = 40.0


def _energy(subject: Analysis, asked: Asked) -> Listing:
    rows, totals = subject.energy_by_layer()
    name = subject.device.name if subject.device else ""
    note = f"pJ per MAC of {name} is that of the whole chip, memory included: the share of moving data is not known"
    return Listing(rows=rows, totals=totals, notes=[note] if subject.prices_whole_chip else [])


def _two_four(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.hardware import two_four

    found = two_four(subject.model, subject.profile, device=subject.device)
    return Listing(rows=found.by_layer(), totals=found.total())


def _bit_serial(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.hardware import bit_serial, needed_bits

    bits, notes = asked.bits, []
    if asked.images_BCHW is not None:
        if bits is not None:
            raise ConfigError("--bits says the bits that --data would find: leave out one of the two.")
        found_bits = needed_bits(subject.model, asked.images_BCHW, min_sqnr_db=MIN_SQNR_DB)
        running = {row.layer for row in subject.profile.rows if row.macs}  # others depend on weights alone
        bits = {layer: width for layer, width in found_bits.items() if layer in running}
        notes = [f"bits: the fewest that keep {MIN_SQNR_DB:g} dB of each layer's output on {_images(asked)}"]
        notes += _random(subject, asked)
    found = bit_serial(subject.model, subject.profile, bits=bits)
    return Listing(rows=found.by_layer(), totals=found.total(), notes=notes)


def _sparse(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.hardware import sparse_columns

    images = asked.images_BCHW
    most = MOST_WINDOWS if images is not None else None
    found = sparse_columns(subject.model, subject.profile, images_BCHW=images, max_windows=most)
    without = "no activation counts as zero: add --data to skip those of your images"
    notes = [f"zero activations skipped on {_images(asked)}" if images is not None else without]
    return Listing(rows=found.by_layer(), totals=found.total(), notes=[*notes, *_random(subject, asked)])


def _bit_operations(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.hardware import bit_operations, total_bit_operations

    rows = bit_operations(subject.model, subject.profile, weights=asked.bits, activations=asked.bits)
    return Listing(rows=rows, totals=total_bit_operations(rows))


def _images(asked: Asked) -> str:
    count = len(asked.images_BCHW) if asked.images_BCHW is not None else 0
    return f"{count} image{'s' if count != 1 else ''} of {asked.source}"


def _random(subject: Analysis, asked: Asked) -> list[str]:
    """A warning where what the values of weights decide comes from random ones."""
    if asked.trained:
        return []
    return [f"{subject.name} has random weights, and trained ones give other figures: add --weights"]


HARDWARE_VIEWS: Mapping[str, View] = {
    "energy": View(
        list_=_energy,
        columns=(*NAME, ("compute_j", "MACs"), ("elementwise_j", "other ops"), ("weight_movement_j", "weights moved"),
                 ("activation_movement_j", "activations moved"), ("energy_j", "energy"), ("share_of_energy", "share"),
                 ("share_of_data_movement", "moving data"), ("weights_in", "weights in"),
                 ("activations_in", "activations in")),
    ),
    "bit-serial": View(
        list_=_bit_serial, takes=("--bits", "--data"),
        columns=(*NAME, ("macs", "MACs"), ("bits", "bits"), ("parallel_cycles", "parallel cycles"),
                 ("serial_cycles", "serial cycles"), ("ideal_speed_up", "ideal"), ("speed_up", "speed-up"),
                 ("utilization", "utilization")),
    ),
    "sparse": View(
        list_=_sparse, takes=("--data",),
        columns=(*NAME, ("weights", "weights"), ("share_of_nonzero_weights", "non-zero"),
                 ("share_of_nonzero_activations", "non-zero inputs"), ("dense_bytes", "dense"),
                 ("sparse_bytes", "sparse"), ("times_smaller", "smaller"), ("load_balance", "balance"),
                 ("speed_up", "speed-up")),
    ),
    "2:4": View(
        list_=_two_four,
        columns=(*NAME, ("allowed", "allowed"), ("dense_bytes", "dense"), ("packed_bytes", "packed"),
                 ("latency_s", "latency"), ("sparse_latency_s", "with 2:4"), ("speed_up", "speed-up"),
                 ("bound", "bound"), ("reason", "why not")),
    ),
    "bits": View(
        list_=_bit_operations, takes=("--bits",),
        columns=(*NAME, ("macs", "MACs"), ("share_of_nonzero_weights", "non-zero weights"),
                 ("effective_macs", "effective MACs"), ("weight_bits", "weight bits"),
                 ("activation_bits", "activation bits"), ("bit_operations", "bit operations")),
    ),
}  # fmt: skip
