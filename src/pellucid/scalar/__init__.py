"""The scalar engine: reverse-mode differentiation one number at a time, to be read in an hour.

Begin with ``engine.py``: values, their slopes and the chain rule. ``network.py``, ``losses.py`` and
``training.py`` build a network on top, and `draw_graph`, `backprop` and `why` show what happens
inside. The files here lean on the standard library and on nothing else of Pellucid, which is
checked against them.
"""

from __future__ import annotations

from pellucid.scalar.collector import collector_paused
from pellucid.scalar.drawing import draw_graph
from pellucid.scalar.engine import Value
from pellucid.scalar.losses import binary_cross_entropy, hinge, mse
from pellucid.scalar.network import MLP, Layer, Neuron, dot
from pellucid.scalar.picture import Drawing
from pellucid.scalar.steps import Backprop, Step, backprop
from pellucid.scalar.training import SGD, train
from pellucid.scalar.why import Explanation, why

__all__ = [
    "MLP",
    "SGD",
    "Backprop",
    "Drawing",
    "Explanation",
    "Layer",
    "Neuron",
    "Step",
    "Value",
    "backprop",
    "binary_cross_entropy",
    "collector_paused",
    "dot",
    "draw_graph",
    "hinge",
    "mse",
    "train",
    "why",
]
