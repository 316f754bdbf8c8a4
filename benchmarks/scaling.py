"""How the time of a training step grows with width, depth and batch, against peers and the roof.

    python benchmarks/scaling.py [--quick] [--out runs/scaling]

Three sweeps of the network 784-...-10, each peer in a process of its own: the width of two hidden
layers, the number of layers of 128, and the batch. The dashed line is the roofline, below which no
step can be on this machine: see `roofline`. Writes scaling.png and scaling.json, the latter after
every network, so that a run that is broken off leaves what it has measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import machine

machine.prepare()

from cases import Case
from contest import compare
from peers import OURS, PEERS
from pellucid.figures import style
from pellucid.files import write_text
from pellucid.viz import save
from roofline import Roof

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS, CLASSES = 784, 10
SHOWN = (OURS, "PyTorch", "PyTorch, compiled but for Adam", "JAX", "scikit-learn", "NumPy by hand")
QUICK = (OURS, "PyTorch", "JAX", "NumPy by hand")
TURN = 0.1  # seconds
DASHES = ("-", "-", ":", "-", ":", "-.")


@dataclass(frozen=True)
class Sweep:
    """Networks that differ in one number, from ``first`` to ``last`` in powers of two."""

    name: str
    fixed: str
    first: int
    last: int

    def values(self, factor: int) -> list[int]:
        """Return the numbers, each ``factor`` times the one before; the last one always."""
        values = [self.first]
        while values[-1] * factor < self.last:
            values.append(values[-1] * factor)
        return [*values, self.last]

    def case(self, value: int) -> Case:
        """Return the network and batch for one of them."""
        width, depth, batch = {
            "width": (value, 2, 128),
            "depth": (128, value, 128),
            "batch": (256, 2, value),
        }[self.name]
        return Case((INPUTS, *[width] * depth, CLASSES), batch)


SWEEPS = (
    Sweep("width", "2 hidden layers, batch 128", 64, 4096),
    Sweep("depth", "hidden layers of 128, batch 128", 2, 64),
    Sweep("batch", "2 hidden layers of 256", 8, 4096),
)

Points = Mapping[str, Sequence[tuple[int, Mapping[str, float]]]]
"""For each sweep its points: the number, and seconds by peer, the roof among them."""

ROOF = "roofline"


def draw(points: Points) -> Figure:
    """Draw the seconds of a step over each sweep's number, both on logarithmic axes."""
    figure, panels = style.panels(None, 1, len(SWEEPS), 13.0, 4.6)
    names = list(dict.fromkeys(n for sweep in points.values() for _, at in sweep for n in at))
    artists = {}
    for panel, sweep in zip(panels, SWEEPS, strict=True):
        found = points.get(sweep.name, ())
        for number, name in enumerate(name for name in names if name != ROOF):
            xs = [value for value, at in found if name in at]
            ys = [at[name] * 1e3 for _, at in found if name in at]
            [artists[name]] = panel.plot(
                xs,
                ys,
                DASHES[number % len(DASHES)],
                color=style.CLASS_COLOURS[number % len(style.CLASS_COLOURS)],
                marker=style.CLASS_MARKERS[number % len(style.CLASS_MARKERS)],
                markersize=4,
                linewidth=2.2 if name == OURS else 1.2,
                zorder=3 if name == OURS else 2,
            )
        xs = [value for value, at in found if ROOF in at]
        ys = [at[ROOF] * 1e3 for _, at in found if ROOF in at]
        [artists[ROOF]] = panel.plot(xs, ys, "--", color=style.INK, linewidth=1.2)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        ticks = sweep.values(4)
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        style.dress(panel, f"{sweep.name} ({sweep.fixed})", "milliseconds a training step")
    style.legend_above(figure, [(name, artists[name]) for name in names], len(names))
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description="time a training step as networks grow")
    parser.add_argument("--quick", action="store_true", help="fewer networks, peers and rounds")
    parser.add_argument("--rounds", type=int, help="default 7, and 3 with --quick")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/scaling"), help="default %(default)s"
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, metavar="PEER", help="only these")
    options = parser.parse_args(arguments)
    machine.check_options(parser, options.rounds)
    rounds = options.rounds or (3 if options.quick else 7)
    peers = options.peers or (QUICK if options.quick else SHOWN)
    options.out.mkdir(parents=True, exist_ok=True)

    roof = Roof.measured()
    found: dict[str, Any] = {"machine": machine.describe(), "sweeps": {}}
    machine.announce()
    print(f"peak of all cores: {roof.operations / 1e9:.0f} GFLOP/s")
    points: dict[str, list[tuple[int, dict[str, float]]]] = {}
    for sweep in SWEEPS:
        outcomes = found["sweeps"][sweep.name] = []
        for value in sweep.values(4 if options.quick else 2):
            case = sweep.case(value)
            outcome = compare(case, peers, rounds, TURN)
            seconds = {name: figures.seconds for name, figures in outcome.figures.items()}
            seconds[ROOF] = roof.seconds(case)
            points.setdefault(sweep.name, []).append((value, seconds))
            outcomes.append({sweep.name: value, ROOF: seconds[ROOF], **outcome.as_json()})
            write_text(options.out / "scaling.json", json.dumps(found, indent=2) + "\n")
            line = ", ".join(f"{name} {s * 1e3:.3g} ms" for name, s in seconds.items())
            print(f"{sweep.name} {value}: {line}", flush=True)
    save(draw(points), options.out / "scaling.png")
    print(f"scaling.png and scaling.json are in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
