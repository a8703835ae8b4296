"""What fixes the noise: the seed, and another to blend in."""

from __future__ import annotations

from sheepgen.fields.field import Field
from sheepgen.fields.limits import MAX_SEED

__all__ = ["SEED_ROWS"]

SEED_ROWS = (
    Field(
        name="variation_strength",
        label="variation strength",
        kind=float,
        low=0,
        high=1,
        per_image=True,
        options=("--variation-strength",),
        aliases=("subseed-strength", "variation-seed-strength"),
        metavar="0..1",
        panel="Image",
        help="How strongly to blend in the second seed. Small values keep the composition.",
        help_for_several="How strongly to blend in those seeds, 0 to 1, as in 0-0.5:0.1.",
        file_name=(6, "x{variation_strength}"),
        a1111=("Variation seed strength",),
        since=2,
    ),
    Field(
        name="variation_seed",
        label="variation seed",
        kind=int,
        low=0,
        high=MAX_SEED,
        is_seed=True,
        per_image=True,
        options=("--variation-seed",),
        aliases=("subseed",),
        metavar="N",
        panel="Image",
        help="Second seed to blend in (with a variation strength).",
        help_for_several="Seeds to blend in (with a variation strength).",
        file_name=(5, "v{variation_seed}"),
        a1111=("Variation seed",),
        since=2,
    ),
    Field(
        name="seed",
        label="seed",
        kind=int,
        low=0,
        high=MAX_SEED,
        is_seed=True,
        per_image=True,
        changes_midway=True,
        options=("-s", "--seed"),
        metavar="N",
        panel="Image",
        help="Random seed.",
        help_for_several="Random seeds, as in 1-8 or 3,42.",
        options_for_several=("-s", "--seeds", "--seed"),
        a1111=("Seed",),
    ),
)
