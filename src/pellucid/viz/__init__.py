"""Pictures of training, drawn with matplotlib: `pip install pellucid[viz]`.

Each function returns a matplotlib `Figure`, drawn into a new one or onto the axes given as `ax`.
None shows, saves or keeps anything: write a picture to a file with `save`, or leave it at the end
of a notebook cell.
"""

from pellucid.figures.curves import training_curves
from pellucid.viz.boundary import decision_boundary
from pellucid.viz.confusion import confusion_matrix
from pellucid.viz.fit import regression_fit
from pellucid.viz.images import predictions
from pellucid.viz.saving import save

__all__ = [
    "confusion_matrix",
    "decision_boundary",
    "predictions",
    "regression_fit",
    "save",
    "training_curves",
]
