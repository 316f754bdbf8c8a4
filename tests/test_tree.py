"""The walk that gives every leaf its dotted path, and trees taken apart and put together."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import tree


class Layer(tree.Node):
    """A node with two leaves."""

    def __init__(self, w: Any, b: Any) -> None:
        self.w, self.b = w, b


class Net(tree.Node):
    """A node with nodes in containers."""

    def __init__(self) -> None:
        self.layers = [Layer(1, 2), Layer(3, 4)]
        self.named = {"x": (5, [6]), 7: "seven"}
        self.rate = 0.5


class Pair(NamedTuple):
    """A named tuple."""

    first: Any
    second: Any


LEAVES = {
    "layers.0.w": 1,
    "layers.0.b": 2,
    "layers.1.w": 3,
    "layers.1.b": 4,
    "named.x.0": 5,
    "named.x.1.0": 6,
    "named.7": "seven",
    "rate": 0.5,
}


def test_walk_gives_dotted_paths_in_the_order_of_assignment() -> None:
    assert list(tree.walk(Net())) == list(LEAVES.items())
    assert list(tree.walk(Net(), "net")) == [(f"net.{path}", x) for path, x in LEAVES.items()]


def test_visit_gives_parents_first() -> None:
    net = Net()
    found = list(tree.visit(net))
    assert [path for path, _ in found][:5] == ["", "layers", "layers.0", "layers.0.w", "layers.0.b"]
    assert found[0] == ("", net)
    assert found[2] == ("layers.0", net.layers[0])


@pytest.mark.parametrize("leaf", [1, "text", None, 0.5, print, {1, 2}])
def test_whatever_else_is_a_leaf(leaf: Any) -> None:
    assert tree.is_leaf(leaf)
    assert list(tree.walk(leaf)) == [("", leaf)]
    assert list(tree.branches(leaf)) == []


@pytest.mark.parametrize("empty", [[], (), {}, tree.Node()])
def test_empty_containers_have_no_leaves(empty: Any) -> None:
    assert not tree.is_leaf(empty)
    assert list(tree.walk(empty)) == []


def test_a_node_reached_twice_is_walked_once() -> None:
    net = Net()
    net.layers.append(net.layers[0])
    net.rate = net
    assert [path for path, _ in tree.walk(net)] == [path for path in LEAVES if path != "rate"]


def test_a_leaf_reached_twice_is_walked_twice() -> None:
    shared = object()
    assert list(tree.walk([shared, shared])) == [("0", shared), ("1", shared)]


def test_walk_does_not_recurse() -> None:
    deep: Any = 0
    for _ in range(3000):
        deep = Layer(deep, 1)
    assert sum(1 for _ in tree.walk(deep)) == 3001


def test_find_gives_everything_of_a_kind() -> None:
    net = Net()
    assert tree.find(net, int) == {path: x for path, x in LEAVES.items() if isinstance(x, int)}
    assert tree.find(net, Layer) == {"layers.0": net.layers[0], "layers.1": net.layers[1]}
    assert tree.find(net, Net) == {"": net}
    assert tree.find(net, bytes) == {}
    assert tree.find(3, int) == {"": 3}


def test_find_gives_shared_objects_once_and_cycles_end() -> None:
    net = Net()
    net.layers.append(net.layers[0])
    net.parent = net
    net.other = [net.layers[1]]
    assert list(tree.find(net, Layer)) == ["layers.0", "layers.1"]
    value = float("0.25")
    assert list(tree.find([value, {"a": value}], float)) == ["0"]


def test_find_is_in_the_order_of_visit() -> None:
    net = Net()
    expected = [path for path, x in tree.visit(net) if isinstance(x, list | Layer)]
    assert list(tree.find(net, (list, Layer))) == expected  # type: ignore[arg-type]


NESTED = st.recursive(
    st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(Pair, inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=50)
@given(NESTED)
def test_flatten_round_trip(nested: Any) -> None:
    leaves, rebuild = tree.flatten(nested)
    assert leaves == [leaf for _, leaf in tree.walk(nested)]
    again = rebuild([leaf + 1 for leaf in leaves])
    assert [leaf for _, leaf in tree.walk(again)] == [leaf + 1 for leaf in leaves]
    same = rebuild(leaves)
    assert same == nested
    assert kinds(same) == kinds(nested)


def kinds(nested: Any) -> Any:
    """Return the types of the containers."""
    return type(nested), [kinds(child) for _, child in tree.branches(nested)]


def test_flatten_keeps_keys_and_order() -> None:
    leaves, rebuild = tree.flatten({2: "b", 1: ("a", None)})
    assert leaves == ["b", "a", None]
    assert list(rebuild([1, 2, 3]).items()) == [(2, 1), (1, (2, 3))]
    assert rebuild([1, 2, 3]) == OrderedDict([(2, 1), (1, (2, 3))])


@pytest.mark.parametrize("nested", [Net(), [Net()], {"net": (Net(),)}])
def test_flatten_refuses_nodes(nested: Any) -> None:
    with pytest.raises(TypeError, match=r"expected nested lists, tuples and dictionaries .* a Net"):
        tree.flatten(nested)


def test_attributes_with_an_underscore_stay_out_of_the_tree() -> None:
    class Part(tree.Node):
        def __init__(self) -> None:
            self.kept, self._private = [1], [2]

    assert list(tree.walk(Part())) == [("kept.0", 1)]
    assert tree.find(Part(), int) == {"kept.0": 1}
