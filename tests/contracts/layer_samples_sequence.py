"""Samples of layers for sequences: recurrent ones, attention and positions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from contracts.layer_case import Parameters, Sample, normal
from pellucid import nn

WEIGHTS = {"weight_ih": "input_weight", "weight_hh": "recurrent_weight"}
BIASES = {"bias_ih": "bias", "bias_hh": "recurrent_bias"}  # only a GRU has the second


def torch_weights(torch: Any, p: Parameters, layers: int, directions: int) -> Parameters:
    """Return the parameters of a recurrent layer by PyTorch's names; bias_hh may be 0 there."""
    named = {}
    for number in range(layers * directions):
        layer, backward = divmod(number, directions)
        ending = f"_l{layer}{'_reverse' * backward}"
        at = f"cells.{number}."
        named |= {name + ending: p[at + ours].T for name, ours in WEIGHTS.items()}
        if f"{at}bias" in p:
            zeros = torch.zeros_like(p[f"{at}bias"])
            named |= {name + ending: p.get(at + ours, zeros) for name, ours in BIASES.items()}
    return named


def torch_recurrent(
    torch: Any, kind: str, x: Any, p: Parameters, state: Any = None, **settings: Any
) -> tuple[Any, Any]:
    """Return what PyTorch's layer of that name returns: outputs and final state."""
    directions = 2 if settings.get("bidirectional") else 1
    named = torch_weights(torch, p, settings.get("num_layers", 1), directions)
    inputs, hidden = named["weight_ih_l0"].shape[1], named["weight_hh_l0"].shape[1]
    layer = getattr(torch.nn, kind)(inputs, hidden, batch_first=True, **settings).double()
    return torch.func.functional_call(layer, named, (x, state))


def outputs(kind: str, **settings: Any) -> Callable[..., Any]:
    """Return the outputs at every step."""
    return lambda torch, x, p: torch_recurrent(torch, kind, x, p, **settings)[0]


def ends(kind: str, **settings: Any) -> Callable[..., Any]:
    """Return the final output of the last layer, both directions side by side."""

    def end(torch: Any, x: Any, p: Parameters) -> Any:
        final = torch_recurrent(torch, kind, x, p, **settings)[1]
        h = final[0] if isinstance(final, tuple) else final
        return torch.concat(list(h[-2 if settings.get("bidirectional") else -1 :]), -1)

    return end


def recurrent(kind: type[nn.Module]) -> list[Sample]:
    """Return the samples of a recurrent layer."""
    name, x = kind.__name__, normal(2, 4, 3)
    both: dict[str, Any] = {"bidirectional": True, "num_layers": 2}
    return [
        Sample("sequences", lambda: kind(3, 2), x, (2, 4, 2), outputs(name)),
        Sample("one step", lambda: kind(3, 2), x[:, :1], (2, 1, 2), outputs(name)),
        Sample("no bias", lambda: kind(3, 2, bias=False), x, (2, 4, 2), outputs(name, bias=False)),
        Sample("layers", lambda: kind(3, 2, 2), x, (2, 4, 2), outputs(name, num_layers=2)),
        Sample("both ways", lambda: kind(3, 2, **both), x, (2, 4, 4), outputs(name, **both)),
        Sample("last", lambda: kind(3, 2, return_sequences=False), x, (2, 2), ends(name)),
        Sample(
            "last both ways",
            lambda: kind(3, 2, **both, return_sequences=False),
            x,
            (2, 4),
            ends(name, **both),
        ),
    ]


def torch_attention(torch: Any, p: Parameters, at: str = "") -> Parameters:
    """Return the parameters of attention by PyTorch's names."""
    parts = [f"{at}{name}." for name in ("query", "key", "value")]
    named = {
        "in_proj_weight": torch.concat([p[f"{part}weight"].T for part in parts]),
        "out_proj.weight": p[f"{at}out.weight"].T,
    }
    if f"{at}out.bias" in p:
        named["in_proj_bias"] = torch.concat([p[f"{part}bias"] for part in parts])
        named["out_proj.bias"] = p[f"{at}out.bias"]
    return named


def attention(heads: int, causal: bool = False, **settings: Any) -> Callable[..., Any]:
    """Return what PyTorch's layer makes of x; its mask is True where attention is forbidden."""

    def attend(torch: Any, x: Any, p: Parameters) -> Any:
        layer = torch.nn.MultiheadAttention(x.shape[-1], heads, batch_first=True, **settings)
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1) if causal else None
        named = torch_attention(torch, p)
        how = {"attn_mask": future, "need_weights": False}
        return torch.func.functional_call(layer.double(), named, (x, x, x), how)[0]

    return attend


def transformer(heads: int, causal: bool = False, **settings: Any) -> Callable[..., Any]:
    """Return what PyTorch's encoder layer makes of x."""

    def encode(torch: Any, x: Any, p: Parameters) -> Any:
        units = p["hidden.bias"].shape[0]
        layer = torch.nn.TransformerEncoderLayer(
            x.shape[-1], heads, units, dropout=0.0, batch_first=True, **settings
        ).double()
        pairs = {"attention_norm": "norm1", "out_norm": "norm2"}
        named = {f"{b}.{name}": p[f"{a}.{name}"] for a, b in pairs.items() for name in KEYS}
        for a, b in {"hidden": "linear1", "out": "linear2"}.items():
            named |= {f"{b}.weight": p[f"{a}.weight"].T, f"{b}.bias": p[f"{a}.bias"]}
        ours = torch_attention(torch, p, "attention.")
        named |= {f"self_attn.{name}": value for name, value in ours.items()}
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1) if causal else None
        return torch.func.functional_call(layer, named, (x,), {"src_mask": future})

    return encode


def waves(torch: Any, x: Any, p: Parameters) -> Any:
    """Return x plus sines and cosines, position by position."""
    t, d = x.shape[-2:]
    table = [
        [(math.sin, math.cos)[i % 2](pos / 10000 ** (2 * (i // 2) / d)) for i in range(d)]
        for pos in range(t)
    ]
    return x + torch.tensor(table, dtype=torch.float64)


KEYS = ("weight", "bias")
X = normal(2, 3, 4)

SAMPLES: dict[str, list[Sample]] = {
    "RNN": [
        *recurrent(nn.RNN),
        Sample(
            "relu",
            lambda: nn.RNN(3, 2, nonlinearity="relu"),
            normal(2, 3, 3),
            (2, 3, 2),
            outputs("RNN", nonlinearity="relu"),
        ),
    ],
    "LSTM": recurrent(nn.LSTM),
    "GRU": recurrent(nn.GRU),
    "MultiHeadAttention": [
        Sample("two heads", lambda: nn.MultiHeadAttention(4, 2), X, X.shape, attention(2)),
        Sample("one head", lambda: nn.MultiHeadAttention(4, 1), X, X.shape, attention(1)),
        Sample("one step", lambda: nn.MultiHeadAttention(4, 2), X[:, :1], (2, 1, 4), attention(2)),
        Sample(
            "causal",
            lambda: nn.MultiHeadAttention(4, 4, causal=True),
            X,
            X.shape,
            attention(4, causal=True),
        ),
        Sample(
            "no bias",
            lambda: nn.MultiHeadAttention(4, 2, bias=False),
            X,
            X.shape,
            attention(2, bias=False),
        ),
        Sample(
            "dropout",
            lambda: nn.MultiHeadAttention(4, 2, dropout=0.4),
            X,
            X.shape,
            attention(2),
            random=True,
        ),
    ],
    "TransformerBlock": [
        Sample(
            "pre",
            lambda: nn.TransformerBlock(4, 2, d_ff=3),
            X,
            X.shape,
            transformer(2, activation="gelu", norm_first=True),
        ),
        Sample(
            "post, causal",
            lambda: nn.TransformerBlock(4, 2, d_ff=3, norm="post", causal=True),
            X,
            X.shape,
            transformer(2, causal=True, activation="gelu"),
        ),
        Sample(
            "dropout",
            lambda: nn.TransformerBlock(4, 1, dropout=0.3, activation=nn.Tanh()),
            X[:1],
            (1, 3, 4),
            transformer(1, activation=lambda x: x.tanh(), norm_first=True),
            random=True,
        ),
    ],
    "PositionalEncoding": [
        Sample("fixed", lambda: nn.PositionalEncoding(5, 4), X, X.shape, waves, drawn=False),
        Sample(
            "odd size",
            lambda: nn.PositionalEncoding(3, 5),
            normal(2, 3, 5),
            (2, 3, 5),
            waves,
            drawn=False,
        ),
        Sample(
            "learned",
            lambda: nn.PositionalEncoding(5, 4, learned=True),
            X,
            X.shape,
            lambda torch, x, p: x + p["positions"][: x.shape[1]],
        ),
    ],
}
