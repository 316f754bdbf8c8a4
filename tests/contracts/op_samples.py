"""The samples of every operation, by name; `op_case` says how to add some.

They stand in ``op_samples_*.py``, one file a family.
"""

from __future__ import annotations

from contracts import (
    op_samples_activations,
    op_samples_arrays,
    op_samples_conv,
    op_samples_elementwise,
    op_samples_normalise,
    op_samples_recurrent,
    op_samples_reduce,
)
from contracts.op_case import CASES, Case, Sample

__all__ = [
    "CASES",
    "Case",
    "Sample",
    "op_samples_activations",
    "op_samples_arrays",
    "op_samples_conv",
    "op_samples_elementwise",
    "op_samples_normalise",
    "op_samples_recurrent",
    "op_samples_reduce",
]
