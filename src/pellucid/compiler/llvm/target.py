"""The processor that code is generated for, and LLVM as the thing that turns text into code.

This is the one file that imports llvmlite, when it is first used: see `unavailable`.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

# Of code generation alone: what the emitters write needs none of LLVM's passes before it. Levels 2
# and 3 give the same code here; level 0 takes half the time, for code that is six times slower.
LEVEL = 1


@dataclass(frozen=True)
class Target:
    """A processor: its name and features as LLVM knows them, and what kernels are shaped by.

    Vectors are ``vector_bytes`` wide and there are ``registers`` of them; ``fma`` is
    multiplication and addition in one rounding.
    """

    name: str
    features: str
    vector_bytes: int
    registers: int
    fma: bool

    @property
    def key(self) -> str:
        """What object code depends on besides its kernels, for a cache on disk."""
        llvm = binding()
        version = ".".join(map(str, llvm.llvm_version_info))
        return f"{self!r}|{llvm.get_default_triple()}|{version}|{LEVEL}"


# Narrower processors that a wide one can imitate, for tests.
AVX2 = Target("haswell", "", vector_bytes=32, registers=16, fma=True)
SSE2 = Target("x86-64", "", vector_bytes=16, registers=16, fma=False)


@cache
def binding() -> Any:
    """Return llvmlite's binding of LLVM, None where it is not installed."""
    try:
        import llvmlite.binding as llvm
    except ImportError:
        return None
    return llvm


@cache
def host() -> Target:
    """Return the processor this runs on.

    Raises:
        ImportError: llvmlite is not installed.
    """
    llvm = binding()
    if llvm is None:
        raise ImportError(unavailable())
    name = llvm.get_host_cpu_name()
    features = llvm.get_host_cpu_features()
    has = {feature for feature, there in features.items() if there}
    flags = features.flatten()
    if {"avx512f", "avx512vl", "avx512bw", "avx512dq"} <= has:
        return Target(name, flags, vector_bytes=64, registers=32, fma=True)
    if "avx" in has:
        return Target(name, flags, vector_bytes=32, registers=16, fma="fma" in has)
    if llvm.get_default_triple().startswith(("aarch64", "arm64")):
        return Target(name, flags, vector_bytes=16, registers=32, fma=True)  # NEON
    return Target(name, flags, vector_bytes=16, registers=16, fma="fma" in has)


def unavailable() -> str:
    """Return why no code can be generated on this machine; nothing if it can."""
    llvm = binding()
    if llvm is None:
        return "expected llvmlite, which compiles; install it with pip install llvmlite"
    triple = llvm.get_default_triple()
    if triple.partition("-")[0] not in ("x86_64", "amd64", "aarch64", "arm64"):
        return f"expected a 64-bit x86 or ARM processor, got {triple}"
    return ""


class Module:
    """Machine code in memory, for as long as this object lives."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def address(self, name: str) -> int:
        """Return the address of a function."""
        address = int(self._engine.get_function_address(name))
        if not address:
            raise ValueError(f"expected the name of a function of the module, got {name!r}")
        return address


def compile_object(text: str, target: Target) -> bytes:
    """Return the object code of a module in LLVM's language; it can be kept on disk."""
    module, machine = _parsed(text, target)
    return bytes(machine.emit_object(module))


def assembly(text: str, target: Target) -> str:
    """Return the machine code of a module in LLVM's language, as text."""
    module, machine = _parsed(text, target)
    return str(machine.emit_assembly(module))


def load_object(code: bytes, target: Target) -> Module:
    """Return object code made ready to run; ``target`` is the one it was compiled for."""
    llvm = _initialised()
    machine = _machine(target)
    empty = llvm.parse_assembly("")
    empty.triple = machine.triple
    empty.data_layout = str(machine.target_data)
    engine = llvm.create_mcjit_compiler(empty, machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Module(engine)


def compile_module(text: str, target: Target) -> Module:
    """Return a module in LLVM's language as code ready to run."""
    return load_object(compile_object(text, target), target)


def _parsed(text: str, target: Target) -> tuple[Any, Any]:
    """Return a module in LLVM's language, verified, and what makes code of it."""
    module, machine = _initialised().parse_assembly(text), _machine(target)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    return module, machine


def _machine(target: Target) -> Any:
    llvm = binding()
    triple = llvm.Target.from_default_triple()
    # an engine owns its machine, so each needs one of its own
    return triple.create_target_machine(
        cpu=target.name, features=target.features, opt=LEVEL, jit=True
    )


@cache
def _initialised() -> Any:
    """Wake LLVM, and show it the functions of C's mathematics that generated code may call."""
    llvm = binding()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    for name in ("sin", "cos", "pow"):
        if not llvm.address_of_symbol(name):
            llvm.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
    return llvm
