"""A plan for people: time across and addresses upwards as SVG, and rows for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from .records import Buffer, Plan

COLUMNS = ("buffer", "bytes", "from", "to", "operations", "over")
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 460.0, 48.0, 10.0, 26.0, 36.0
PLOT_HEIGHT = 300.0
LETTER, LINE = 5.6, 11.0  # pixels that a letter is wide and a line high, at the font size of the names

# The colours of the report's pages (Okabe and Ito 2008), kept inside of this picture so that it stands alone as a file.
STYLE = """
svg.arena {
  --paper: #ffffff; --ink: #1a1f24; --muted: #59636e; --rule: #dfe3e7; --axis: #8d98a3; --limit: #b34700;
  --fill0: #0072b2; --fill1: #00705a; --fill2: #a3588a; --fill3: #c97f00; --tint: .24;
  display: block; width: 100%; height: auto; max-width: 46rem; background: var(--paper);
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
@media (prefers-color-scheme: dark) {
  svg.arena {
    --paper: #14181c; --ink: #e4e8ec; --muted: #9aa5b0; --rule: #30373e; --axis: #7b8793; --limit: #f28c4a;
    --fill0: #56b4e9; --fill1: #4cc9a4; --fill2: #d394bd; --fill3: #e9ac3c; --tint: .34;
  }
}
svg.arena text { font-size: 10.5px; fill: var(--muted); }
svg.arena .name { font-size: 10px; fill: var(--ink); pointer-events: none; }
svg.arena .bound-text { fill: var(--limit); paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
svg.arena line { stroke: var(--rule); }
svg.arena line.axis { stroke: var(--axis); }
svg.arena line.bound { stroke: var(--limit); stroke-width: 1.25; stroke-dasharray: 5 3; }
svg.arena .peak { fill: var(--rule); opacity: .55; }
svg.arena .buffer { fill-opacity: var(--tint); stroke-width: 1; }
""" + "\n".join(f"svg.arena .fill{i} {{ fill: var(--fill{i}); stroke: var(--fill{i}); }}" for i in range(4))


def table(plan: Plan) -> list[tuple[str, ...]]:
    """One row a buffer under `COLUMNS`, in the order of operations; "over" names the inputs it is written over."""
    ordered = sorted(plan.buffers, key=lambda each: (each.first, plan.offsets[each.name]))
    return [
        (
            each.name, f"{each.num_bytes:,}", f"{plan.offsets[each.name]:,}",
            f"{plan.offsets[each.name] + each.num_bytes:,}",
            f"{each.first}" if each.first == each.last else f"{each.first} to {each.last}",
            ", ".join(_under(plan, each)) + (" (backwards)" if each.name in plan.backwards else ""),
        )
        for each in ordered
    ]  # fmt: skip


def headline(plan: Plan) -> str:
    """The plan in one sentence."""
    if plan.arena_bytes == plan.bound_bytes:
        verdict = "equal to the liveness bound"
    else:
        known = "no plan is smaller" if plan.is_optimal else "not proven to be the smallest"
        verdict = f"{plan.arena_bytes - plan.bound_bytes:,} above the liveness bound, {known}"
    return f"Arena {plan.arena_bytes:,} bytes, {verdict}; the peak is operation {plan.peak_op}."


def draw(plan: Plan) -> str:
    """The plan as a picture of its own or for a page: one box a buffer or piece, the bound dashed, the peak shaded.

    A box is as wide as its buffer lives and as high as its bytes; where an output lies over its input, both boxes show
    in the column of their operation. Names are in the boxes where they fit, and all appear on hover.
    """
    place = _Place.of(plan)
    height = TOP + PLOT_HEIGHT + BOTTOM
    boxes = "\n".join(box for index, each in enumerate(_by_time(plan)) for box in _boxes(plan, each, index, place))
    words = "\n".join(word for each in _by_time(plan) for word in _words(plan, each, place))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="arena" viewBox="0 0 {WIDTH:g} {height:g}" role="img" '
        f'aria-label="{escape(headline(plan))}">\n<style>{STYLE}</style>\n'
        f"{_axes(plan, place)}\n{boxes}\n{words}\n{_bound(plan, place)}\n</svg>\n"
    )


@dataclass(frozen=True, kw_only=True)
class _Place:
    """From operations and addresses to pixels."""

    num_ops: int
    top_bytes: int

    @classmethod
    def of(cls, plan: Plan) -> _Place:
        last = max((each.last for each in plan.buffers), default=0)
        return cls(num_ops=last + 1, top_bytes=max(plan.arena_bytes, plan.bound_bytes, 1))

    def x(self, op: float) -> float:
        return LEFT + op / self.num_ops * (WIDTH - LEFT - RIGHT)

    def y(self, address: float) -> float:
        return TOP + (1 - address / self.top_bytes) * PLOT_HEIGHT


def _by_time(plan: Plan) -> list[Buffer]:
    return sorted(plan.buffers, key=lambda each: (each.first, each.last, each.name))


def _axes(plan: Plan, place: _Place) -> str:
    bottom = place.y(0)
    left, right = place.x(plan.peak_op), place.x(plan.peak_op + 1)
    parts = [f'<rect class="peak" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{PLOT_HEIGHT}"/>']
    for address in _ticks(place.top_bytes, most=6):
        y = place.y(address)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{address:,}</text>')
    for op in _ticks(place.num_ops - 1, most=10):
        x = (place.x(op) + place.x(op + 1)) / 2
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">{op}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text x="{middle}" y="{bottom + 29}" text-anchor="middle">operation (shaded: the peak)</text>')
    parts.append(f'<text x="4" y="{TOP - 14}">byte</text>')
    return "\n".join(parts)


def _bound(plan: Plan, place: _Place) -> str:
    y = place.y(plan.bound_bytes)
    text = f"liveness bound {plan.bound_bytes:,}"
    if plan.arena_bytes != plan.bound_bytes:
        text += f", arena {plan.arena_bytes:,}"
    return (
        f'<line class="bound" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>\n'
        f'<text class="bound-text" x="{WIDTH - RIGHT}" y="{y - 5:.1f}" text-anchor="end">{text}</text>'
    )


def _boxes(plan: Plan, buffer: Buffer, index: int, place: _Place) -> Iterator[str]:
    """One box, or one for each piece of the buffer and each time that it is needed."""
    for piece in buffer.parts:
        start = plan.offsets[buffer.name] + piece.begin
        top, bottom = place.y(start + piece.num_bytes), place.y(start)
        for first, last in piece.lives:
            told = f"{buffer.name}: {piece.num_bytes:,} bytes at {start:,}, operations {first} to {last}"
            left, width = place.x(first), place.x(last + 1) - place.x(first)
            yield (
                f'<rect class="buffer fill{index % 4}" x="{left + min(0.5, width / 4):.1f}" y="{top:.1f}" '
                f'width="{max(width - 1, width / 2):.1f}" height="{bottom - top:.1f}">'
                f"<title>{escape(told)}</title></rect>"
            )


def _words(plan: Plan, buffer: Buffer, place: _Place) -> Iterator[str]:
    """Name and size on two lines, on one, or turned upright: whatever fits into the box, else nothing.

    Where another buffer lies over its last operation, the words keep clear of that.
    """
    covered = buffer.last > buffer.first and any(buffer.name in _under(plan, each) for each in plan.buffers)
    across = place.x(buffer.first), place.x(buffer.last + (0 if covered else 1))
    upward = place.y(plan.offsets[buffer.name] + buffer.num_bytes), place.y(plan.offsets[buffer.name])
    x, y = sum(across) / 2, sum(upward) / 2
    width, height = across[1] - across[0] - 4, upward[1] - upward[0] - 2
    size = f"{buffer.num_bytes:,}"
    long, high = max(width, height), min(width, height)
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if height > width else ""
    lines = [buffer.name, size] if high >= 2 * LINE else [f"{buffer.name} {size}"]
    lines = lines if max(map(len, lines)) * LETTER <= long else [buffer.name]
    lines = lines if max(map(len, lines)) * LETTER <= long else [size]
    if high >= LINE - 1 and max(map(len, lines)) * LETTER <= long:
        for row, text in enumerate(lines):
            at = y + 3.5 + (row - (len(lines) - 1) / 2) * LINE
            yield f'<text class="name" x="{x:.1f}" y="{at:.1f}" text-anchor="middle"{turn}>{escape(text)}</text>'


def _ticks(top: int, *, most: int) -> list[int]:
    """Multiples of 1, 2 or 5 times a power of ten from 0, at most `most` + 1 of them."""
    step = 1
    for power in range(math.ceil(math.log10(max(top, 1))) + 1):
        step = next((each * 10**power for each in (1, 2, 5) if top / (each * 10**power) <= most), 0)
        if step:
            break
    return list(range(0, top + 1, step or 1))


def _under(plan: Plan, buffer: Buffer) -> list[str]:
    """The inputs that share bytes with the buffer."""
    low, found = plan.offsets[buffer.name], []
    sizes = {each.name: each.num_bytes for each in plan.buffers}
    for overlap in (each for each in plan.overlaps if each.output == buffer.name):
        other = plan.offsets[overlap.input]
        if other < low + buffer.num_bytes and low < other + sizes[overlap.input]:
            found.append(overlap.input)
    return found
