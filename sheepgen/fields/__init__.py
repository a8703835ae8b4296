"""The fields of a request, one row each: everything that describes a field is in its row.

Options of all commands, jobs, sweeps, records, other programs' parameters, templates and file names
are derived from here. A new field takes a row, a line in `sheepgen.request.GenerationRequest`,
which has its type and default, and the code that uses it.

field         what a row may say, and the check of a value
limits        the largest values
model         rows: the model, and what is added to it
prompt        rows: the prompts
picture       rows: the picture to start from, and the size
denoising     rows: scheduler, steps, guidance and noise
conditioning  rows: what the networks see besides the prompts
seeds         rows: the seeds
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.fields.conditioning import CONDITIONING_ROWS
from sheepgen.fields.denoising import DENOISING_ROWS
from sheepgen.fields.field import Field, Value
from sheepgen.fields.limits import (
    MAX_GUIDANCE,
    MAX_PROMPT_CHARACTERS,
    MAX_SEED,
    MAX_SIDE,
    MAX_STEPS,
    RANDOM_SEED,
)
from sheepgen.fields.model import MODEL_ROWS
from sheepgen.fields.picture import PICTURE_ROWS
from sheepgen.fields.prompt import PROMPT_ROWS
from sheepgen.fields.seeds import SEED_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FIELDS",
    "HASHED_FIELDS",
    "MAX_GUIDANCE",
    "MAX_PROMPT_CHARACTERS",
    "MAX_SEED",
    "MAX_SIDE",
    "MAX_STEPS",
    "PER_IMAGE_FIELDS",
    "RANDOM_SEED",
    "Field",
    "Value",
    "find_field",
]

_ROWS = (
    *MODEL_ROWS,
    *PROMPT_ROWS,
    *PICTURE_ROWS,
    *DENOISING_ROWS,
    *CONDITIONING_ROWS,
    *SEED_ROWS,
)

FIELDS: Mapping[str, Field] = MappingProxyType({field.name: field for field in _ROWS})
"""By name, in the order in which a sweep varies them: what is costly to change between two images
(the model, then the prompt) slowest, and the seed fastest."""

HASHED_FIELDS = tuple(field.name for field in _ROWS if field.is_hashed)
"""Names of fields that name files, whose hashes are in the resolved request: ``image_sha256``."""

PER_IMAGE_FIELDS = frozenset(field.name for field in _ROWS if field.per_image)
"""Names of fields in which images may differ that go through the loop together."""

_SPELLINGS = {
    spelling.removeprefix("--").replace("-", "_"): field
    for field in _ROWS
    for spelling in (field.name, field.key, field.option, *field.aliases)
}


def find_field(spelling: str) -> Field | None:
    """Return the field that a word names: by its own name, an option or another program's."""
    return _SPELLINGS.get(spelling.replace("-", "_"))
