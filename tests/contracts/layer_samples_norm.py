"""Samples of layers that normalise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.layer_case import Parameters, Sample, normal
from pellucid import nn


def batch_norm(torch: Any, x: Any, p: Parameters) -> Any:
    """Return what batch normalisation does in evaluation."""
    out = torch.nn.functional.batch_norm(
        x.movedim(-1, 1),
        p["running_mean"],
        p["running_var"],
        p.get("weight"),
        p.get("bias"),
        eps=1e-5,
    )
    return out.movedim(1, -1)


def layer_norm(*shape: int) -> Callable[..., Any]:
    """Return layer normalisation over the last axes."""
    return lambda torch, x, p: torch.nn.functional.layer_norm(
        x, shape, p.get("weight"), p.get("bias")
    )


def rms_norm(*shape: int) -> Callable[..., Any]:
    """Return the same without the mean."""
    return lambda torch, x, p: torch.nn.functional.rms_norm(x, shape, p.get("weight"), eps=1e-6)


def sample(
    label: str,
    build: Callable[[], nn.Module],
    shape: tuple[int, ...],
    torch: Callable[..., Any],
    batch: bool = False,
) -> Sample:
    """Return a sample; the shape stays, and nothing is drawn."""
    return Sample(label, build, 2 * normal(*shape) + 0.5, shape, torch, batch=batch, drawn=False)


SAMPLES: dict[str, list[Sample]] = {
    "BatchNorm1D": [
        sample("matrix", lambda: nn.BatchNorm1D(3), (6, 3), batch_norm, True),
        sample("sequences", lambda: nn.BatchNorm1D(3), (2, 4, 3), batch_norm, True),
        sample("one sequence", lambda: nn.BatchNorm1D(2), (1, 5, 2), batch_norm, True),
        sample(
            "plain",
            lambda: nn.BatchNorm1D(3, momentum=0.3, affine=False),
            (6, 3),
            batch_norm,
            True,
        ),
    ],
    "BatchNorm2D": [
        sample("images", lambda: nn.BatchNorm2D(3), (3, 2, 4, 3), batch_norm, True),
        sample("one image", lambda: nn.BatchNorm2D(2), (1, 3, 3, 2), batch_norm, True),
    ],
    "LayerNorm": [
        sample("matrix", lambda: nn.LayerNorm(4), (3, 4), layer_norm(4)),
        sample("sequences", lambda: nn.LayerNorm(4), (2, 3, 4), layer_norm(4)),
        sample("two axes", lambda: nn.LayerNorm((3, 4)), (2, 3, 4), layer_norm(3, 4)),
        sample("one example", lambda: nn.LayerNorm(4), (4,), layer_norm(4)),
        sample("plain", lambda: nn.LayerNorm(4, affine=False), (3, 4), layer_norm(4)),
    ],
    "RMSNorm": [
        sample("matrix", lambda: nn.RMSNorm(4), (3, 4), rms_norm(4)),
        sample("two axes", lambda: nn.RMSNorm((3, 4)), (2, 3, 4), rms_norm(3, 4)),
        sample("plain", lambda: nn.RMSNorm(4, affine=False), (3, 4), rms_norm(4)),
    ],
}
