"""Pictures of networks and of training, drawn with matplotlib: `pip install pellucid[viz]`.

Each function returns a matplotlib `Figure`, drawn into a new one or onto the axes given as `ax`.
None shows, saves or keeps anything: write a picture to a file with `save`, or leave it at the end
of a notebook cell. Graphs (`draw_graph`) are SVG and need no matplotlib.
"""

from pellucid.figures.curves import training_curves
from pellucid.viz.animation import BoundaryFilm
from pellucid.viz.boundary import decision_boundary, regression_surface
from pellucid.viz.confusion import confusion_matrix
from pellucid.viz.fit import regression_fit
from pellucid.viz.graph import GraphDrawing, draw_graph
from pellucid.viz.images import predictions
from pellucid.viz.landscape import loss_landscape
from pellucid.viz.layers import (
    LayerStatistics,
    LayerWatch,
    gradient_flow,
    layer_histograms,
    layer_statistics,
)
from pellucid.viz.maps import attention_maps, feature_maps, state_maps, weight_images
from pellucid.viz.report import run_report
from pellucid.viz.saving import save
from pellucid.viz.schedule import learning_rate
from pellucid.viz.thresholds import calibration_curve, precision_recall_curve, roc_curve

__all__ = [
    "BoundaryFilm",
    "GraphDrawing",
    "LayerStatistics",
    "LayerWatch",
    "attention_maps",
    "calibration_curve",
    "confusion_matrix",
    "decision_boundary",
    "draw_graph",
    "feature_maps",
    "gradient_flow",
    "layer_histograms",
    "layer_statistics",
    "learning_rate",
    "loss_landscape",
    "precision_recall_curve",
    "predictions",
    "regression_fit",
    "regression_surface",
    "roc_curve",
    "run_report",
    "save",
    "state_maps",
    "training_curves",
    "weight_images",
]
