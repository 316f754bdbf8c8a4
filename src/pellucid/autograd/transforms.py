"""Functions of functions: from f to its gradient, its Jacobian, its Hessian.

Each transform calls f on fresh leaves that copy the arguments, so nothing else is touched; and
because gradient rules can be recorded themselves, transforms nest: ``grad(grad(f))`` is the second
derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import tree
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.autograd import tape
from pellucid.autograd.tensor import Tensor, as_tensor
from pellucid.errors import GraphError

Function = Callable[..., Any]
Rebuild = Callable[[list[Any]], Any]


def grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return the function that computes the gradient of a scalar-valued f.

    Gradients nest: ``grad(grad(f))`` is the second derivative.

    Args:
        f: takes tensors (or nested lists, tuples, dictionaries of them) and returns a scalar
            tensor.
        argnums: which argument to differentiate by, or which ones.

    Returns:
        A function of the same arguments whose result has the structure of the argument ``argnums``
        (a tuple of such for several), each gradient a tensor in its argument's shape.

    Raises:
        GraphError: at the call: the result is no scalar.
        IndexError: at the call: there is no argument of that number.
        TypeError: at the call: the result is no tensor, or an argument is not floating point.

    >>> import pellucid
    >>> def cube(x):
    ...     return x**3
    >>> pellucid.grad(cube)(2.0), pellucid.grad(pellucid.grad(cube))(2.0)
    (Tensor(12.), Tensor(12.))
    """
    both = value_and_grad(f, argnums)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return the function that computes ``(f(...), gradient of f)``; see `grad`.

    >>> import pellucid
    >>> def area(width, height):
    ...     return width * height
    >>> pellucid.value_and_grad(area, argnums=(0, 1))(3.0, 5.0)
    (Tensor(15.), (Tensor(5.), Tensor(3.)))
    """

    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Tensor, Any]:
        out, leaves, rebuild = _call(f, argnums, args, kwargs)
        if out.size != 1:
            raise GraphError(
                f"expected a function with a scalar result, got shape {out.shape}; "
                "reduce it with .sum() or .mean(), or use jacobian"
            )
        outer = bool(tape.is_recording()) and _is_nested(out, leaves)
        gradients = _gradients(out, leaves, F.ones_like(out), outer)
        return out if outer else out.detach(), rebuild(gradients)

    return value_and_gradient


def jacobian(f: Function, argnums: int = 0) -> Function:
    """Return the function that computes J[i, j] = d f_i / d x_j, in shape ``(*f.shape, *x.shape)``.

    One backward pass for each element of the output.

    >>> import pellucid
    >>> def f(x):
    ...     return pellucid.stack([x[0] * x[1], x[0] + x[1]])
    >>> pellucid.jacobian(f)(pellucid.Tensor([2.0, 3.0]))
    Tensor([[3., 2.],
            [1., 1.]])
    """

    def compute(*args: Any, **kwargs: Any) -> Any:
        out, leaves, rebuild = _call(f, argnums, args, kwargs)
        outer = bool(tape.is_recording()) and _is_nested(out, leaves)
        rows: list[list[Tensor]] = []
        for i in range(out.size):
            seed = np.zeros(out.shape, out.dtype)
            seed.flat[i] = 1
            rows.append(_gradients(out, leaves, Tensor(seed), outer))
        if not rows:
            return rebuild([F.zeros((*out.shape, *x.shape), dtype=x.dtype) for x in leaves])
        columns = zip(*rows, strict=True)
        return rebuild(
            [
                F.stack(column).reshape((*out.shape, *leaf.shape))
                for column, leaf in zip(columns, leaves, strict=True)
            ]
        )

    return compute


def hvp(f: Function, x: Any, v: Any) -> Tensor:
    """Return the Hessian-vector product ``H(x) v`` of a scalar-valued f of one tensor.

    It is the gradient of <grad f, v>, so the Hessian itself is never built. Pearlmutter, "Fast
    exact multiplication by the Hessian", Neural Computation 6(1), 1994.

    Raises:
        ValueError: v has another shape than x.

    >>> import pellucid
    >>> def f(x):
    ...     return x[0] ** 2 * x[1]
    >>> x, v = pellucid.Tensor([1.0, 2.0]), pellucid.Tensor([1.0, 0.0])
    >>> pellucid.hvp(f, x, v)  # the first column of the Hessian
    Tensor([4., 2.])
    """
    v = as_tensor(v)
    if v.shape != as_tensor(x).shape:
        raise ValueError(
            f"expected a vector in the shape of x, {as_tensor(x).shape}, got {v.shape}"
        )
    product: Tensor = grad(lambda x: (grad(f)(x) * v).sum())(x)
    return product


def hessian(f: Function, argnums: int = 0) -> Function:
    """Return the function that computes H[i, j] = d^2 f / dx_i dx_j, ``(*x.shape, *x.shape)``.

    >>> import pellucid
    >>> def f(x):
    ...     return x[0] ** 2 * x[1]
    >>> pellucid.hessian(f)(pellucid.Tensor([1.0, 2.0]))
    Tensor([[4., 2.],
            [2., 0.]])
    """
    return jacobian(grad(f, argnums), argnums)


def _call(
    f: Function, argnums: int | Sequence[int], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Tensor, list[Tensor], Rebuild]:
    """Call f with fresh leaves; return its value, the leaves, and how to structure results."""
    numbers = [argnums] if isinstance(argnums, int) else list(argnums)
    if any(not -len(args) <= i < len(args) for i in numbers):
        raise IndexError(f"expected argnums among the {len(args)} arguments given, got {argnums}")
    chosen = [args[i] for i in numbers]
    values, rebuild = tree.flatten(chosen)
    leaves = [_fresh(x) for x in values]
    replaced = list(args)
    for i, value in zip(numbers, rebuild(leaves), strict=True):
        replaced[i] = value
    with tape.recording(True):
        out = f(*replaced, **kwargs)
    if not isinstance(out, Tensor):
        raise TypeError(f"expected a function that returns a tensor, got {type(out).__name__}")
    if isinstance(argnums, int):
        return out, leaves, lambda found: rebuild(found)[0]
    return out, leaves, lambda found: tuple(rebuild(found))


def _fresh(x: Any) -> Tensor:
    """Return a new leaf with the value of x, or its copy in the graph where x has one."""
    tensor = as_tensor(x)
    if tensor.dtype.kind != "f":
        if isinstance(x, Tensor | np.ndarray):
            raise TypeError(
                f"expected floating-point arguments to differentiate by, got {tensor.dtype}; "
                'convert with .astype("float32")'
            )
        tensor = tensor.astype("float32")
    if tensor.requires_grad and tape.is_recording():
        return F.identity(tensor)
    return Tensor(tensor.data, requires_grad=True)


def _is_nested(out: Tensor, leaves: list[Tensor]) -> bool:
    """Whether the result depends on tensors, beyond the leaves, that others differentiate by."""
    own = {id(leaf) for leaf in leaves}
    return any(node.op is None and id(node) not in own for node in tape.ancestors(out)) or any(
        leaf.op is not None for leaf in leaves
    )


def _gradients(out: Tensor, leaves: list[Tensor], seed: Tensor, nested: bool) -> list[Tensor]:
    """Return one tensor a leaf: zeros where f does not depend on it."""
    found = tape.gradients(out, leaves, seed if nested else seed.data, create_graph=nested)
    return [
        F.zeros_like(leaf) if g is None else as_tensor(g)
        for g, leaf in zip(found, leaves, strict=True)
    ]
