"""Layers, networks and losses."""

from __future__ import annotations

from pellucid.nn import initialisers
from pellucid.nn.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    SELU,
    Activation,
    HardTanh,
    LeakyReLU,
    Linear,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from pellucid.nn.attention import (
    MultiHeadAttention,
    TransformerBlock,
    attention_weights,
    scaled_dot_product_attention,
)
from pellucid.nn.capture import capture
from pellucid.nn.constraints import Constraint, MaxNorm
from pellucid.nn.containers import Parallel, Residual, Sequential
from pellucid.nn.conv import Conv1D, Conv2D, ConvTranspose1D, ConvTranspose2D
from pellucid.nn.dense import Dense
from pellucid.nn.dropout import Dropout
from pellucid.nn.embedding import Embedding
from pellucid.nn.losses import (
    LOSSES,
    BCELoss,
    CategoricalHingeLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    KLDivergenceLoss,
    LogCoshLoss,
    Loss,
    MAELoss,
    MSELoss,
    SquaredHingeLoss,
)
from pellucid.nn.module import Module
from pellucid.nn.norm import BatchNorm1D, BatchNorm2D, LayerNorm, RMSNorm
from pellucid.nn.penalties import L1, L1L2, L2, Penalty
from pellucid.nn.pooling import (
    AvgPool1D,
    AvgPool2D,
    Flatten,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    MaxPool1D,
    MaxPool2D,
)
from pellucid.nn.positions import PositionalEncoding
from pellucid.nn.recurrent import GRU, LSTM, RNN

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "GRU",
    "L1",
    "L1L2",
    "L2",
    "LOSSES",
    "LSTM",
    "RNN",
    "SELU",
    "Activation",
    "AvgPool1D",
    "AvgPool2D",
    "BCELoss",
    "BatchNorm1D",
    "BatchNorm2D",
    "CategoricalHingeLoss",
    "Constraint",
    "Conv1D",
    "Conv2D",
    "ConvTranspose1D",
    "ConvTranspose2D",
    "CrossEntropyLoss",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "HardTanh",
    "HingeLoss",
    "HuberLoss",
    "KLDivergenceLoss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogCoshLoss",
    "LogSoftmax",
    "Loss",
    "MAELoss",
    "MSELoss",
    "MaxNorm",
    "MaxPool1D",
    "MaxPool2D",
    "Module",
    "MultiHeadAttention",
    "Parallel",
    "Penalty",
    "PositionalEncoding",
    "RMSNorm",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "SquaredHingeLoss",
    "Tanh",
    "TransformerBlock",
    "attention_weights",
    "capture",
    "initialisers",
    "scaled_dot_product_attention",
]
