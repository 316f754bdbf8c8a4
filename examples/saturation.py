"""Why starting weights matter, and why losses want logits: what saturated tanh does to gradients.

python examples/saturation.py [--seed 0]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median

from pellucid import data, scalar
from pellucid.scalar import Value

SCALES = (0.1, 1.0, 10.0)  # of the starting weights; 1 keeps the variance from layer to layer
LAYERS = [12, 12, 12, 12, 1]


def network(seed: int = 0, scale: float = 1.0) -> scalar.MLP:
    """Return the network 2-12-12-12-12-1: tanh, and one linear logit."""
    return scalar.MLP(2, LAYERS, output="linear", fused=True, scale=scale, rng=seed)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="gradients of saturated neurons, in numbers")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def flow(mlp: scalar.MLP, x: list[list[float]], y: list[int]) -> list[tuple[float, float]]:
    """Return for each layer the share of saturated neurons, and how much gradient reaches a neuron.

    Saturated means |tanh| above 0.99, where the slope 1 - tanh^2 is below 0.02. The gradient is the
    median of |d loss / d z| over neurons and points, z the weighted sum before tanh: whatever a
    neuron's weights learn is multiplied by it.
    """
    outputs: list[list[Value]] = [[] for _ in mlp.layers]
    logits = []
    for row in x:
        values = [Value(number) for number in row]
        for number, layer in enumerate(mlp.layers):
            values = layer(values)
            outputs[number] += values
        logits.append(values[0])
    scalar.binary_cross_entropy(logits, y).backward()
    found = []
    for values in outputs:
        sums = [value.parents[0] if value.op == "tanh" else value for value in values]
        flat = [value.op == "tanh" and abs(value.data) > 0.99 for value in values]
        found.append((sum(flat) / len(flat), median(abs(z.grad) for z in sums)))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    options = parse(arguments)
    moons = data.moons(40, noise=0.1, seed=0)
    x, y = moons.x.tolist(), moons.y.tolist()

    print("2-12-12-12-12-1 of tanh neurons, 40 points, cross-entropy on the last layer's logits")
    print("share of saturated neurons, and the median |d loss / d z| of a neuron\n")
    columns = {scale: flow(network(options.seed, scale), x, y) for scale in SCALES}
    print("layer      " + "".join(f"{f'weights x {scale:g}':<22}" for scale in SCALES).rstrip())
    for layer in range(len(LAYERS)):
        cells = [f"{flat:4.0%}  {size:.1e}" for flat, size in (columns[s][layer] for s in SCALES)]
        print(f"{layer + 1:<11d}" + "".join(f"{cell:<22}" for cell in cells).rstrip())
    lost = [columns[scale][-1][1] / columns[scale][0][1] for scale in SCALES]
    print("last/first " + "".join(f"{f'{ratio:.1e}':<22}" for ratio in lost).rstrip())
    print(
        "\nSmall weights: every layer hands back less than it received; little reaches the first."
        "\nLarge ones: most neurons are where tanh is flat, and what passes through them is lost."
    )

    print("\nOne neuron that is wrong: its answer should be no, and z says how sure it is of yes\n")
    print(f"{'z':>4}  {'tanh output, (tanh z + 1)^2':<30}  linear logit, cross-entropy")
    for z in (0.0, 1.0, 2.0, 5.0, 10.0):
        one, other = Value(z), Value(z)
        ((one.tanh() + 1) ** 2).backward()
        scalar.binary_cross_entropy([other], [0]).backward()
        print(f"{z:4g}  gradient {one.grad:<21.3e}  gradient {other.grad:.3e}")
    print(
        "\nThe surer the mistake, the less the tanh output learns from it; the logit learns more."
    )


if __name__ == "__main__":
    main()
