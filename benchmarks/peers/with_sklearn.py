"""The step with scikit-learn's MLPClassifier: one call of ``partial_fit`` on one batch.

That call also checks the batch and turns its labels into rows of zeros and ones, which is how
scikit-learn is used for single steps. Over rows it is ``fit``, which does both once.
"""

from __future__ import annotations

import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import machine
from cases import B1, B2, EPS, Case, Run

ENDLESS = 10**9  # epochs without progress that do not end training


def network(case: Case) -> Run:
    """Return the step, or ``fit`` over rows."""
    model = MLPClassifier(
        case.sizes[1:-1],
        alpha=0,
        batch_size=case.batch,
        learning_rate_init=case.rate,
        beta_1=B1,
        beta_2=B2,
        epsilon=EPS,
        shuffle=bool(case.rows),
        random_state=0,
        n_iter_no_change=ENDLESS,
        warm_start=bool(case.rows),  # for steps it would want all classes in every batch
    )
    x, y = case.data()

    def over_rows(count: int) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it has only so many epochs
            model.set_params(max_iter=count).fit(x, y)
        return float(model.loss_)

    def run(count: int) -> float:
        for _ in range(count):
            model.partial_fit(x, y)
        return float(model.loss_)

    if case.rows:
        return over_rows
    model.partial_fit(x, y, classes=np.arange(case.sizes[-1]))  # makes weights and optimiser
    restart(model, case)
    return run


def restart(model: MLPClassifier, case: Case) -> None:
    """Put the case's weights into a model that has made a step, and start Adam again."""
    for weight, bias, value in zip(model.coefs_, model.intercepts_, case.weights(), strict=True):
        weight[...], bias[...] = value, 0
    adam = model._optimizer
    adam.t = 0
    for moment in (*adam.ms, *adam.vs):
        moment[...] = 0


def about() -> str:
    """Return the version, and NumPy's BLAS, which does its products."""
    return f"scikit-learn {sklearn.__version__}, {machine.describe()['BLAS']}"
