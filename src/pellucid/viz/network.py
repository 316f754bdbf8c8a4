"""A network as a graph of its parts, opened as far as one likes."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.autograd import Tensor
from pellucid.compiler.flops import Flops, total
from pellucid.nn import Module
from pellucid.nn.capture import Recording, layers_of, owner_of, record
from pellucid.scalar.layout import Edge
from pellucid.scalar.picture import Box
from pellucid.train import Model
from pellucid.train.summary import expected_input, run_once
from pellucid.viz.boxes import Sizes, box, cost_text, shape_text, tensor_box

OPERATIONS = -1  # the depth at which every operation is a box
Key = Hashable  # what a tensor is drawn as: its own identity, or a call (path, number)


@dataclass(frozen=True)
class Parts:
    """A recorded run of a network, and how deep each of its modules lies.

    ``layers`` are those of `nn.capture.layers_of`: what a layer keeps to itself, such as its
    activation, is no part of its own.
    """

    modules: dict[str, Module]
    layers: dict[str, Module]
    depths: dict[str, int]
    run: Recording
    costs: dict[int, Flops]
    owners: dict[int, str]

    @classmethod
    def of(cls, target: Module | Model, x: Any = None) -> Parts:
        """Run the network of a target on the first of the examples, or on one of zeros."""
        network = target.network if isinstance(target, Model) else target
        run = _run(target, network, x)
        layers = layers_of(network)
        depths: dict[str, int] = {}
        for path in layers:  # parents come first
            depths[path] = depths[owner_of(path, layers)] + 1 if path else 0
        return cls(network.modules(), layers, depths, run, run.flops(), run.owners())

    @property
    def deepest(self) -> int:
        """The depth at which every module that has parts is open."""
        return max(self.depths.values())

    def switches(self, closed: Collection[str], most: int) -> dict[str, list[str]]:
        """Return what can be opened and closed: modules with parts by path, without the network.

        Where there are more than so many, all of a kind go together, the most frequent kinds.
        """
        found = [p for p in self.layers if p and p not in closed and self._has_parts(p)]
        if len(found) <= most:
            return {path: [path] for path in found}
        kinds: dict[str, list[str]] = {}
        for path in found:
            kinds.setdefault(f"all {type(self.layers[path]).__name__}", []).append(path)
        return dict(sorted(kinds.items(), key=lambda kind: -len(kind[1]))[:most])

    def opened(self, depth: int, closed: Collection[str] = ()) -> tuple[list[Box], dict[Edge, str]]:
        """Return boxes, and edges with the shape of what flows along them, opened to a depth.

        The modules whose paths are ``closed`` stay so.
        """
        keys = {id(node): self._key(node, depth, closed) for node in self.run.nodes}
        shown = self._shown(keys)
        number: dict[Key, int] = {}
        members: list[list[Tensor]] = []
        for node in self.run.nodes:
            if id(node) in shown:
                if keys[id(node)] not in number:
                    number[keys[id(node)]] = len(members)
                    members.append([])
                members[number[keys[id(node)]]].append(node)
        boxes = [self._box(key, group) for key, group in zip(number, members, strict=True)]
        edges: dict[Edge, str] = {}
        for node in self.run.nodes:
            for x in node.inputs:
                if id(x) in shown and keys[id(x)] != keys[id(node)]:
                    edge = number[keys[id(x)]], number[keys[id(node)]]
                    edges[edge] = shape_text(self._sizes(x))
        for i, output in enumerate(self.run.outputs):
            shape = shape_text(self._sizes(output))
            edges[number[keys[id(output)]], len(boxes)] = shape
            name = "output" if len(self.run.outputs) == 1 else f"output {i}"
            boxes.append(box(name, [f"{shape} {output.dtype}"], "output"))
        return boxes, edges

    def _key(self, node: Tensor, depth: int, closed: Collection[str]) -> Key:
        """Return what a tensor is drawn as."""
        if node.op is None:
            return id(node)
        around = [self.owners[id(node)]]  # the modules it was made in, from the inside
        while around[-1]:
            around.append(owner_of(around[-1], self.layers))
        for path in reversed(around):
            call = self._call(path, node)  # None where a part was called without the whole
            if call is not None and (path in closed or not self._is_open(path, depth)):
                return path, call
        return id(node)

    def _is_open(self, path: str, depth: int) -> bool:
        """Whether the parts of a module are boxes, or at the last depth its operations."""
        if depth == OPERATIONS:
            return True
        return self._has_parts(path) and self.depths[path] < depth

    def _has_parts(self, path: str) -> bool:
        return any(owner_of(below, self.layers) == path for below in self.layers if below)

    def _call(self, path: str, node: Tensor) -> int | None:
        """Return which call of a module made a tensor, counted from 0; None if none did."""
        calls = (call for call in self.run.calls if call.path == path)
        made = (i for i, call in enumerate(calls) if call.first <= node.serial < call.last)
        return next(made, None)

    def _shown(self, keys: dict[int, Key]) -> set[int]:
        """Return what is drawn: all operations, inputs, and the leaves of operations drawn."""
        shown = {id(node) for node in self.run.nodes if node.op is not None}
        shown |= set(map(id, (*self.run.inputs, *self.run.outputs)))
        for node in self.run.nodes:
            if node.op is not None and keys[id(node)] == id(node):
                shown |= {id(x) for x in node.inputs if isinstance(x, Tensor)}
        return shown & {id(node) for node in self.run.nodes}

    def _box(self, key: Key, group: list[Tensor]) -> Box:
        """Return the box of a tensor, or of a call of a module that is closed."""
        if not isinstance(key, tuple):
            (node,) = group
            name = self.run.names.get(id(node), "")
            return tensor_box(node, name, self._sizes(node), self.costs[id(node)])
        path, call = key
        module = self.modules[path]
        kind = type(module).__name__
        held = sum(parameter.size for parameter in module.parameters())
        counted = f"{held:,} parameters" if held else ""
        lines = [
            repr(module) if "\n" not in repr(module) else kind,
            "the same parameters again" if held and call else counted,
            cost_text(total(self.costs[id(node)] for node in group)),
        ]
        return box(path or kind, [line for line in lines if line != kind or path], "part")

    def _sizes(self, node: Tensor) -> Sizes:
        """Return a shape in which the batch of one example is called N."""
        shape: tuple[int, ...] = node.shape
        flows = node.op is not None or any(node is x for x in self.run.inputs)
        return ("N", *shape[1:]) if flows and shape[:1] == (1,) else shape


def _run(target: Module | Model, network: Module, x: Any) -> Recording:
    if x is not None:
        return record(network, (x.numpy() if isinstance(x, Tensor) else np.asarray(x))[:1])
    shape = target.input_shape if isinstance(target, Model) else None
    shape = expected_input(network) if shape is None else tuple(shape)
    if shape is None:
        raise ValueError(
            "expected an example to run the network on, got none; pass x, a batch that it takes, "
            "for example np.zeros((1, 28, 28, 1))"
        )
    return run_once(network, shape)
