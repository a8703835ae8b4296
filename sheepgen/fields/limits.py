"""The largest values that fields may have, and a seed that stands for a random one."""

from __future__ import annotations

__all__ = [
    "MAX_GUIDANCE",
    "MAX_PROMPT_CHARACTERS",
    "MAX_SEED",
    "MAX_SIDE",
    "MAX_STEPS",
    "RANDOM_SEED",
]

MAX_SEED = 2**64 - 1
"""Largest seed that ``torch.Generator.manual_seed`` takes."""

RANDOM_SEED = -1
"""What AUTOMATIC1111 writes for a seed that is to be picked at random; no request has it."""

MAX_STEPS = 1000
MAX_GUIDANCE = 100
MAX_SIDE = 8192
MAX_PROMPT_CHARACTERS = 20_000
