"""A network as a graph of its parts, opened as far as one likes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.autograd import Tensor
from pellucid.compiler.flops import Flops
from pellucid.nn import Dense, Module
from pellucid.nn.capture import Recording, record
from pellucid.scalar.layout import Edge
from pellucid.scalar.picture import Box
from pellucid.train import Model
from pellucid.train.summary import run_once
from pellucid.viz.boxes import Sizes, box, cost_text, shape_text, tensor_box

OPERATIONS = -1  # the depth at which every operation is a box
Key = Hashable  # what a tensor is drawn as: its own identity, or a call (path, number)


@dataclass(frozen=True)
class Parts:
    """A recorded run of a network, and how deep each of its modules lies.

    An activation that a layer holds, such as that of ``Dense(4, 8, "relu")``, is no part of its
    own: it lies as deep as the layer.
    """

    modules: dict[str, Module]
    depths: dict[str, int]
    run: Recording
    costs: dict[int, Flops]
    owners: dict[int, str]

    @classmethod
    def of(cls, target: Module | Model, x: Any = None) -> Parts:
        """Run the network of a target on the first of the examples, or on one of zeros."""
        network = target.network if isinstance(target, Model) else target
        run = _run(target, network, x)
        modules = network.modules()
        depths: dict[str, int] = {}
        for path in modules:
            above = _above(path, depths)
            own = above is None or not _is_own_activation(path)
            depths[path] = 0 if above is None else depths[above] + own
        return cls(modules, depths, run, run.flops(), run.owners())

    @property
    def deepest(self) -> int:
        """The depth at which every module that has parts is open."""
        return max(self.depths.values())

    def opened(self, depth: int) -> tuple[list[Box], dict[Edge, str]]:
        """Return boxes, and edges with the shape of what flows along them, opened to a depth."""
        keys = {id(node): self._key(node, depth) for node in self.run.nodes}
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
        output = self.run.output
        edges[number[keys[id(output)]], len(boxes)] = shape_text(self._sizes(output))
        boxes.append(box("output", [f"{shape_text(self._sizes(output))} {output.dtype}"], "output"))
        return boxes, edges

    def _key(self, node: Tensor, depth: int) -> Key:
        """Return what a tensor is drawn as."""
        if node.op is None or depth == OPERATIONS:
            return id(node)
        path = self.owners[id(node)]
        while self.depths[path] > depth or (path and _is_own_activation(path)):
            path = _above(path, self.depths) or ""
        has_parts = any(
            _above(below, self.depths) == path and not _is_own_activation(below)
            for below in self.modules
        )
        if has_parts and self.depths[path] < depth:  # it is open: its own operations are boxes
            return id(node)
        calls = [call for call in self.run.calls if call.path == path]
        return path, next(i for i, c in enumerate(calls) if c.first <= node.serial < c.last)

    def _shown(self, keys: dict[int, Key]) -> set[int]:
        """Return what is drawn: all operations, inputs, and the leaves of operations drawn."""
        shown = {id(node) for node in self.run.nodes if node.op is not None}
        shown |= {place for place, name in self.run.names.items() if name.startswith("input")}
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
        name = repr(module) if "\n" not in repr(module) else type(module).__name__
        held = sum(parameter.size for parameter in module.parameters())
        counted = f"{held:,} parameters" if held else ""
        lines = [
            name if path else "",
            "the same parameters again" if held and call else counted,
            cost_text(_total([self.costs[id(node)] for node in group])),
        ]
        return box(path or name, lines, "part")

    def _sizes(self, node: Tensor) -> Sizes:
        """Return a shape in which the batch of one example is called N."""
        shape: tuple[int, ...] = node.shape
        leaf = node.op is None and not self.run.names.get(id(node), "").startswith("input")
        return shape if leaf or not shape or shape[0] != 1 else ("N", *shape[1:])


def _run(target: Module | Model, network: Module, x: Any) -> Recording:
    if x is not None:
        return record(network, (x.numpy() if isinstance(x, Tensor) else np.asarray(x))[:1])
    shape = target.input_shape if isinstance(target, Model) else None
    if shape is None:
        dense = next((m for m in network.modules().values() if isinstance(m, Dense)), None)
        shape = None if dense is None else (dense.in_features,)
    if shape is None:
        raise ValueError(
            "expected an example to run the network on, got none; pass x, a batch that it takes, "
            "for example np.zeros((1, 28, 28, 1))"
        )
    return run_once(network, tuple(shape))


def _above(path: str, known: dict[str, int]) -> str | None:
    """Return the path of the module that holds another; None for the network itself."""
    if not path:
        return None
    above = path.rpartition(".")[0]
    return above if above in known else _above(above, known)


def _is_own_activation(path: str) -> bool:
    return path.rpartition(".")[2] == "activation"


def _total(costs: list[Flops]) -> Flops:
    return Flops(sum(cost.forward for cost in costs), sum(cost.backward for cost in costs))
