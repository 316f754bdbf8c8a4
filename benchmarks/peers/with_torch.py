"""The step with PyTorch: eager with fused Adam, and compiled in the two ways that are quickest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.func import functional_call, grad_and_value

from cases import B1, B2, EPS, Case, Run, repeated

Step = Callable[[Any, Any], Any]


def eager(case: Case) -> Run:
    """Return the usual loop with the fused optimiser."""
    network, loss_of = parts(case)
    optimizer = fused_adam(network, case)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return through(step, case)


def compiled(case: Case) -> Run:
    """Return the whole step, Adam included, as one function for ``torch.compile``.

    Written with ``torch.func``, because a call of ``backward`` splits what is compiled.
    """
    network, loss_of = parts(case)
    p = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    m = {name: torch.zeros_like(value) for name, value in p.items()}
    v = {name: torch.zeros_like(value) for name, value in p.items()}
    steps = torch.zeros(())

    def step(x: Any, y: Any) -> Any:
        g, loss = grad_and_value(lambda p: loss_of(functional_call(network, p, (x,)), y))(p)
        steps.add_(1)
        first, second = 1 - B1**steps, 1 - B2**steps
        for name in p:
            m[name].lerp_(g[name], 1 - B1)
            v[name].mul_(B2).addcmul_(g[name], g[name], value=1 - B2)
            p[name].sub_(case.rate * (m[name] / first) / ((v[name] / second).sqrt() + EPS))
        return loss

    return through(torch.compile(step), case, torch.no_grad())


def half_compiled(case: Case) -> Run:
    """Return loss and gradients as one compiled function, and the fused optimiser after it."""
    network, loss_of = parts(case)
    optimizer = fused_adam(network, case)
    parameters = dict(network.named_parameters())
    values = {name: parameter.detach() for name, parameter in parameters.items()}

    def loss_at(p: Any, x: Any, y: Any) -> Any:
        return loss_of(functional_call(network, p, (x,)), y)

    gradients = torch.compile(grad_and_value(loss_at))

    def step(x: Any, y: Any) -> Any:
        found, loss = gradients(values, x, y)
        for name, parameter in parameters.items():
            parameter.grad = found[name]
        optimizer.step()
        return loss

    return through(step, case, torch.no_grad())


def parts(case: Case) -> tuple[Any, Any]:
    """Return the network with the case's weights, and its loss."""
    layers = []
    for weight in case.weights():
        linear = torch.nn.Linear(*weight.shape)
        linear.weight.data = torch.from_numpy(weight.T.copy())
        linear.bias.data.zero_()
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]), torch.nn.CrossEntropyLoss()


def fused_adam(network: Any, case: Case) -> Any:
    """Return PyTorch's Adam as one kernel."""
    return torch.optim.Adam(network.parameters(), case.rate, (B1, B2), EPS, fused=True)


def through(step: Step, case: Case, mode: Any = None) -> Run:
    """Return what makes steps on one batch, or goes over shuffled rows, in a mode of autograd."""
    mode = mode or torch.enable_grad()
    x, y = (torch.from_numpy(array) for array in case.data())

    def over_rows(count: int) -> float:
        for _ in range(count):
            total = torch.zeros(())
            for index in torch.randperm(case.rows).split(case.batch):
                total += step(x[index], y[index])
        return float(total) / case.updates

    steps = over_rows if case.rows else repeated(step, x, y)

    def run(count: int) -> float:
        with mode:
            return steps(count)

    return run


def about() -> str:
    """Return the version, the instructions and the threads."""
    kernels = torch.backends.cpu.get_cpu_capability()
    return f"PyTorch {torch.__version__} ({kernels}, {torch.get_num_threads()} threads)"
