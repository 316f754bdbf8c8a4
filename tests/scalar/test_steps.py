"""The backward pass one step at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.scalar import MLP, Value, backprop


def neuron() -> tuple[Value, dict[str, Value]]:
    v = {name: Value(data, name) for name, data in
         {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.881373587019543}.items()}  # fmt: skip
    n = v["x1"] * v["w1"] + v["x2"] * v["w2"] + v["b"]
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    return o, v


def test_the_text_of_every_step() -> None:
    o, _ = neuron()
    steps = [str(step) for step in backprop(o)]
    assert steps[0] == (
        "step 1 of 5: o = tanh(n) = 0.7071, d o / d o = 1\n"
        "  d o / d n * d o / d o = 0.5 * 1 = 0.5: d o / d n = 0.5"
    )
    assert steps[3] == (
        "step 4 of 5: v2 = x1 * w1 = -6, d o / d v2 = 0.5\n"
        "  d v2 / d x1 * d o / d v2 = -3 * 0.5 = -1.5: d o / d x1 = -1.5\n"
        "  d v2 / d w1 * d o / d v2 = 2 * 0.5 = 1: d o / d w1 = 1"
    )
    assert len(steps) == 5


def test_what_is_added_to_is_said() -> None:
    a = Value(3.0, "a")
    out = a * a
    out.label = "out"
    (step,) = backprop(out)
    assert str(step).splitlines()[1:] == [
        "  d out / d a * d out / d out = 3 * 1 = 3: d out / d a = 3",
        "  d out / d a * d out / d out = 3 * 1 = 3, added to 3: d out / d a = 6",
    ]


def test_it_leaves_the_gradients_of_backward() -> None:
    network, other = MLP(3, [4, 4, 1], rng=0), MLP(3, [4, 4, 1], rng=0)
    out, expected = network([2.0, 3.0, -1.0]), other([2.0, 3.0, -1.0])
    for _ in range(2):  # also the second time, when leaves already have gradients
        expected.backward()
        walk = backprop(out)
        assert len(list(walk)) == len(walk)
        assert [p.grad for p in network.parameters()] == [p.grad for p in other.parameters()]


@given(st.lists(st.sampled_from("+*t"), max_size=12), st.floats(-2, 2), st.floats(-2, 2))
def test_random_graphs_get_the_gradients_of_backward(ops: str, x: float, y: float) -> None:
    def build() -> tuple[Value, list[Value]]:
        values = [Value(x), Value(y)]
        for i, op in enumerate(ops):
            a, b = values[-1], values[i // 2]
            values.append(a + b if op == "+" else a * b if op == "*" else a.tanh())
        return values[-1], values

    out, values = build()
    out.backward()
    again, others = build()
    for _ in backprop(again):
        pass
    if not ops:  # of a leaf alone there are no steps to take
        assert [v.grad for v in others] == [0.0, 1.0]
        return
    assert [v.grad for v in others] == [v.grad for v in values]


def test_upstream_is_complete_when_it_is_passed_on() -> None:
    network = MLP(2, [3, 3, 1], rng=0)
    walk = backprop(network([1.0, -1.0]))
    handed = [(step.child, step.passes[0].upstream) for step in walk]
    assert all(child.grad == upstream for child, upstream in handed)


def test_the_drawing_lights_the_step_and_shows_the_gradients_so_far() -> None:
    o, v = neuron()
    first, second, *_ = steps = list(backprop(o))
    assert v["x1"].grad != 0  # all steps are done, and yet the first shows what was known then
    drawing = second.draw()
    lines = {box.title: box.lines[1] for box in drawing.boxes}
    assert lines["n = +"] == "grad 0.5"
    assert lines["v3 = +"] == "grad 0.5"
    assert lines["v2 = *"] == "grad ..."
    assert lines["x1"] == "grad 0"
    lit = [box.title for box in drawing.boxes if box.lit]
    assert sorted(lit) == ["b", "n = +", "v3 = +"]
    assert len(drawing.lit) == 2
    assert drawing.svg.count("1 * 0.5 = 0.5") == 2
    assert "0.5 * 1 = 0.5" in first.draw(format="dot").dot
    assert {box.title: box.lines[1] for box in steps[-1].draw().boxes}["w2"] == "grad 0"


def test_both_ways_into_one_child_are_written_on_the_line() -> None:
    a = Value(3.0, "a")
    (step,) = backprop(a * a)
    assert "3 * 1 = 3, 3 * 1 = 3" in step.draw().svg


def test_it_can_be_taken_by_hand() -> None:
    o, v = neuron()
    walk = backprop(o)
    assert (walk.taken, len(walk)) == (0, 5)
    next(walk)
    assert (walk.taken, v["x1"].grad) == (1, 0.0)
    assert [step.number for step in walk] == [2, 3, 4, 5]
    with pytest.raises(StopIteration):
        next(walk)


def test_a_leaf_has_no_steps() -> None:
    x = Value(1.0)
    walk = backprop(x)
    assert list(walk) == list(walk) == []
    assert x.grad == 1.0  # as backward leaves it, once


def test_it_shows_itself() -> None:
    o, _ = neuron()
    walk = backprop(o)
    step = next(walk)
    assert repr(step) == str(step)
    assert repr(walk) == "Backprop(o, 1 of 5 steps taken)"
    assert step._repr_svg_() == step.draw().svg
    with pytest.raises(TypeError, match="expected a value to go back from, got list"):
        backprop([o])  # type: ignore[arg-type]


def test_names_are_unique() -> None:
    same = [Value(1.0, "x"), Value(2.0, "x"), Value(3.0), Value(3.0)]
    walk = backprop(sum(same) * 3 + Value(1.0, "v1") * Value(1.0, "v2"))
    names = list(walk.names.values())
    assert len(set(names)) == len(names)
    assert {"x", "x#2", "3", "3#2", "3#3", "v1", "v2"} <= set(names)
    assert [walk.names[v] for v in walk.names if v.label == "v1"] == ["v1"]
