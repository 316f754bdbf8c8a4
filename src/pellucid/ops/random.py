"""Random numbers as a pure function of a counter, so that every engine draws the same ones.

The hash is lowbias32 (C. Wellons, "Prospecting for Hash Functions", 2018): two multiplications and
three shifts on 32-bit words, in which a change of one input bit flips each output bit about half
the time.
"""

from __future__ import annotations

from pellucid.arrays import Array, Namespace, Shape
from pellucid.ops.op import Op


def scramble(bits: Array) -> Array:
    """Return 32-bit words mixed until no pattern of the input is left."""
    bits = bits ^ (bits >> 16)
    bits = bits * 0x7FEB352D
    bits = bits ^ (bits >> 15)
    bits = bits * 0x846CA68B
    return bits ^ (bits >> 16)


class Uniform(Op):
    """out[i] = hash(key, counter, i) / 2^24 in [0, 1), for state = (key, counter) in uint32."""

    differentiable = False

    @staticmethod
    def forward(xp: Namespace, state: Array, *, shape: Shape) -> Array:
        key, counter = state[:1], state[1:]
        stream = scramble(key ^ scramble(counter + 0x9E3779B9))  # (1,)
        size = 1
        for n in shape:
            size *= n
        places = xp.arange(size, dtype=xp.uint32)
        bits = scramble(scramble(places ^ stream) + key)
        return xp.reshape(xp.astype(bits >> 8, xp.float32) * 2.0**-24, shape)
