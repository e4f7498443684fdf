"""Writes the captured graph while the file is read, and computes at once whatever does not depend on the input."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn

from ...errors import UnsupportedError
from ..functions import MOVES, SPLITS
from .names import free_attribute, free_path
from .values import Dim, Recipe, Size, Value, fit

aten = torch.ops.aten
META = torch.device("meta")
MOST_ELEMENTS = 2**27  # of one constant that is computed: half a gigabyte of float32
KEEPS_GRID = MOVES | SPLITS | {aten.max_pool2d.default, aten.upsample_nearest2d.vec, aten.pixel_shuffle.default}


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The batch sizes that every tensor is looked at for. `written`: what the file is fixed to, None for any."""

    sizes: tuple[int, ...]
    written: int | None


class Emitter:
    """The graph that grows. `call` and `layer` add to it; `finish` hands it over."""

    def __init__(self, sample_shape: tuple[int, ...], batches: Batches) -> None:
        self.net = fx.GraphModule(nn.Module(), fx.Graph())
        self.batches = batches
        image = self.net.graph.placeholder("x")
        self.image = Value(
            node=image, seen=tuple(torch.empty((batch, *sample_shape), device=META) for batch in batches.sizes)
        )
        self._operands: dict[int, tuple[Any, fx.Node]] = {}  # identity -> what has it (held, so that it stays), node
        self._sizes: dict[Size, fx.Node] = {}
        self._layers: dict[Any, str] = {}
        self._held: list[Value] = []  # weights of layers: what tells them apart is their place in memory
        self.readers: dict[fx.Node, int] = {}  # how many operators of the file read a node

    # --- constants ---------------------------------------------------------------------------------------------------

    def constant(self, tensor: torch.Tensor, **known: Any) -> Value:
        """A tensor whose content is the same at any batch size."""
        return Value(seen=(tensor,) * len(self.batches.sizes), **known)

    def dims(self, value: Value) -> list[Dim]:
        """The shape of a tensor."""
        return [self._fit([int(size) for size in sizes]) for sizes in zip(*(t.shape for t in value.seen), strict=True)]

    def integers(self, value: Value) -> list[Dim]:
        """The content of a known vector (or scalar) of integers.

        Raises:
            UnsupportedError: it depends on the image.
        """
        if not value.known:
            raise UnsupportedError("a shape, an axis or an index depends on the content of the image")
        contents = [each.reshape(-1).tolist() for each in value.seen]
        return [self._fit([int(number) for number in numbers]) for numbers in zip(*contents, strict=True)]

    def _fit(self, numbers: Sequence[int]) -> Dim:
        found = fit(numbers, self.batches.sizes)
        if found is None:
            raise UnsupportedError("a size does not grow evenly with the batch")
        return found

    # --- calls -------------------------------------------------------------------------------------------------------

    def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """The result of an ATen function: a value, or a tuple of them.

        Values and sizes may stand anywhere among the arguments. Where all are known, so is the result.
        """
        values = _leaves((args, kwargs), Value)
        if all(value.known for value in values):
            return self._fold(function, args, kwargs, values)
        node = self.net.graph.call_function(function, self._written(args), self._written(kwargs))
        seen = [function(*self._at(args, place, META), **self._at(kwargs, place, META)) for place in self._places]
        grid = values[0].grid if function in KEEPS_GRID else None
        return self._results(node, seen, grid=grid)

    def layer(
        self, path: str, weights: Sequence[Value], make: Callable[[], nn.Module], x: Value, *, settings: Any = ()
    ) -> Value:
        """The result of a layer; one of equal weights and settings is shared.

        Args:
            path: where it should live.
            weights: what it is made of.
            make: builds it.
            x: what flows in.
            settings: everything else that tells it apart.
        """
        identity = (tuple(_memory(each.seen[0]) for each in weights), settings)
        place = self._layers.get(identity) if weights else None
        if place is None:
            place = self._layers[identity] = free_path(self.net, path)
            self._held.extend(weights)
            with torch.random.fork_rng(devices=[]):  # a new layer draws weights, which are replaced at once
                self.net.add_submodule(place, make())
        layer = self.net.get_submodule(place)
        node = self.net.graph.call_module(place, (self.operand(x),))
        hollow = _hollow(layer)
        return Value(node=node, seen=tuple(hollow(each.to(META)) for each in x.seen))

    def replace_layer(self, node: fx.Node, layer: nn.Module, *, path: str | None) -> None:
        """Put another layer in place of the one that `node` calls, perhaps under another path; none will share it."""
        place = str(node.target)
        self.net.delete_submodule(place)
        node.target = free_path(self.net, path or place)
        self.net.add_submodule(node.target, layer)
        self._layers = {identity: path for identity, path in self._layers.items() if path != place}

    def operand(self, value: Value) -> fx.Node:
        """The node of a value; a known one is stored in the model."""
        if value.node is not None:
            return value.node
        key = id(value.seen[0])
        if key not in self._operands:
            self._operands[key] = (value, self._stored(value))
        return self._operands[key][1]

    def finish(self, outputs: Sequence[Value]) -> fx.GraphModule:
        """The graph module that returns `outputs`, in eval mode."""
        nodes = tuple(self.operand(each) for each in outputs)
        self.net.graph.output(nodes[0] if len(nodes) == 1 else nodes)
        self.net.graph.eliminate_dead_code()
        self.net.delete_all_unused_submodules()
        self.net.graph.lint()
        self.net.recompile()
        return self.net.eval()

    @property
    def _places(self) -> range:
        return range(len(self.batches.sizes))

    def _fold(self, function: Any, args: Any, kwargs: Any, values: list[Value]) -> Any:
        """Compute it now, for each batch size if it makes a difference."""
        same = all(value.uniform for value in values) and not _leaves((args, kwargs), Size)
        results = []
        for place in self._places[:1] if same else self._places:
            _check_size(function, self._at(args, place, META), self._at(kwargs, place, META))
            with torch.no_grad():
                results.append(function(*self._at(args, place), **self._at(kwargs, place)))
        seen = results * len(self._places) if same else results
        trained = any(value.trained for value in values) and _first(results[0]).is_floating_point()
        recipe = Recipe(function=function, args=args, kwargs=kwargs) if trained else None
        origin = next((value.origin for value in values if value.origin), "")
        return self._results(None, seen, trained=trained, recipe=recipe, origin=origin)

    def _results(self, node: fx.Node | None, seen: list[Any], **known: Any) -> Any:
        if isinstance(seen[0], torch.Tensor):
            return Value(node=node, seen=tuple(seen) if node is not None else united(seen), **known)
        recipe = known.pop("recipe", None)
        parts = []
        for index, tensors in enumerate(zip(*seen, strict=True)):
            part = None if node is None else self.net.graph.call_function(operator.getitem, (node, index))
            own = None if recipe is None else replace(recipe, kwargs={**recipe.kwargs, "_part": index})
            contents = united(tensors) if node is None else tuple(tensors)
            parts.append(Value(node=part, seen=contents, recipe=own, **known))
        return tuple(parts)

    def _stored(self, value: Value) -> fx.Node:
        if value.recipe is not None:
            return self._cooked(value.recipe)
        if value.uniform:
            return self._attribute(value.seen[0], value)
        return self._spread(value)

    def _cooked(self, recipe: Recipe) -> fx.Node:
        """Compute from trained weights in the graph, so that they stay weights."""
        kwargs = {key: each for key, each in recipe.kwargs.items() if key != "_part"}
        node = self.net.graph.call_function(recipe.function, self._written(recipe.args), self._written(kwargs))
        part = recipe.kwargs.get("_part")
        return node if part is None else self.net.graph.call_function(operator.getitem, (node, part))

    def _attribute(self, tensor: torch.Tensor, value: Value) -> fx.Node:
        attribute = free_attribute(self.net, value.origin or "constant")
        copied = tensor.detach().clone()
        if value.trained:
            self.net.register_parameter(attribute, nn.Parameter(copied))
        else:
            self.net.register_buffer(attribute, copied)
        return self.net.graph.get_attr(attribute)

    def _spread(self, value: Value) -> fx.Node:
        """A constant that only repeats itself along the batch: store it once, expand it."""
        dims = self.dims(value)
        kept = value.seen[0]
        for axis, dim in enumerate(dims):
            if isinstance(dim, Size):
                kept = kept.narrow(axis, 0, 1)
        if not dims or any(not torch.equal(kept.expand_as(each), each) for each in value.seen):
            raise UnsupportedError("a constant differs from batch size to batch size")
        stored = self._attribute(kept.contiguous(), value)
        return self.net.graph.call_function(aten.expand.default, (stored, self._written(dims)))

    def _written(self, tree: Any) -> Any:
        """Arguments as the graph holds them."""

        def one(leaf: Any) -> Any:
            if isinstance(leaf, Value):
                return self.operand(leaf)
            return self._size(leaf) if isinstance(leaf, Size) else leaf

        return fx.node.map_aggregate(tree, one)

    def _size(self, size: Size) -> fx.Node:
        """The size as a node, computed once, right behind the input."""
        if size not in self._sizes:
            image = self.image.node
            assert image is not None
            base = self._sizes.get(Size(per_sample=1))
            with self.net.graph.inserting_after(image if base is None else base):
                if size == Size(per_sample=1):
                    made = self.net.graph.call_function(aten.sym_size.int, (image, 0))
                elif size.more:
                    rest = self._size(Size(per_sample=size.per_sample))
                    with self.net.graph.inserting_after(rest):
                        made = self.net.graph.call_function(operator.add, (rest, size.more))
                else:
                    rest = self._size(Size(per_sample=1))
                    with self.net.graph.inserting_after(rest):
                        made = self.net.graph.call_function(operator.mul, (rest, size.per_sample))
            self._sizes[size] = made
        return self._sizes[size]

    def _at(self, tree: Any, place: int, device: torch.device | None = None) -> Any:
        """Arguments at one of the batch sizes, on `device` or where they are."""

        def one(leaf: Any) -> Any:
            if isinstance(leaf, Value):
                return leaf.seen[place] if device is None else leaf.seen[place].to(device)
            return leaf.at(self.batches.sizes[place]) if isinstance(leaf, Size) else leaf

        return fx.node.map_aggregate(tree, one)


def united(seen: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """One object where the content is the same at every batch size: then the batch makes no difference."""
    first = seen[0]
    same = all(each is first or (each.dtype is first.dtype and torch.equal(each, first)) for each in seen)
    return (first,) * len(seen) if same else tuple(seen)


def _memory(tensor: torch.Tensor) -> tuple[Any, ...]:
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride()


def _leaves(tree: Any, kind: type) -> list[Any]:
    found: list[Any] = []
    fx.node.map_aggregate(tree, lambda leaf: found.append(leaf) if isinstance(leaf, kind) else None)
    return found


def _first(result: Any) -> torch.Tensor:
    return result if isinstance(result, torch.Tensor) else result[0]


def _check_size(function: Any, args: Any, kwargs: Any) -> None:
    """A few bytes of a file can ask for any amount of memory."""
    made = function(*args, **{**kwargs, **({"device": META} if _creates(function) else {})})
    if sum(each.numel() for each in ([made] if isinstance(made, torch.Tensor) else made)) > MOST_ELEMENTS:
        raise UnsupportedError(f"it makes a constant of more than {MOST_ELEMENTS:,} elements")


def _creates(function: Any) -> bool:
    return any(each.name == "device" for each in function._schema.arguments)


def _hollow(layer: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """The layer on tensors without content."""
    empty = {name: each.detach().to(META) for name, each in [*layer.named_parameters(), *layer.named_buffers()]}
    return lambda x: torch.func.functional_call(layer.eval(), empty, (x,))
