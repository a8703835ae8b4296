"""Text embeddings (textual inversion, https://arxiv.org/abs/2208.01618), in one file each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.added.places import existing, read_file
from sheepgen.models.single_file import check_floats
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sheepgen.models.checkpoint import Checkpoint

__all__ = ["Embedding", "find_embedding"]

_TENSORS = {"emb_params": "text_encoder", "clip_l": "text_encoder"}
"""Names of tensors that are not a token, and the text encoder that each is for."""

_SECOND_TENSOR = "clip_g"

_MOST_VECTORS = 75
"""Of one embedding: more do not fit a prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedding:
    """What a token stands for (textual inversion, https://arxiv.org/abs/2208.01618).

    Args:
        path: The file.
        token: As it is written in prompts.
        vectors: How many tokens of the text encoder it stands for.
        tensors: Name of the tensor for each text encoder.
    """

    path: Path
    token: str
    vectors: int
    tensors: Mapping[str, str]


def find_embedding(text: str, checkpoint: Checkpoint) -> Embedding:
    """Find a text embedding, and check that it is for the text encoders of this model.

    Raises:
        ModelError: If there is none, or it is not.
    """
    path, owner = existing("embedding", text)
    file = read_file(path, owner)
    tensors = {component: name for name, component in _TENSORS.items() if name in file.tensors}
    if _SECOND_TENSOR in file.tensors:
        tensors["text_encoder_2"] = _SECOND_TENSOR
    token = path.stem
    if not tensors and len(file.tensors) == 1:
        (token,) = file.tensors
        tensors = {"text_encoder": token}
    if not tensors or len(tensors) != len(file.tensors):
        raise ModelError(f"{owner} is not a text embedding of a known form.", "")
    if not re.fullmatch(r"[^\s,]{1,100}", token):
        raise ModelError(
            f'The embedding {owner} has the token "{excerpt(token)}", which no prompt can have.',
            "Give the file a name of one word.",
        )
    encoders = {name for name in checkpoint.configs if name.startswith("text_encoder")}
    if encoders != tensors.keys():
        raise ModelError(
            f"The embedding {owner} is for {len(tensors)} text encoders, and "
            f"this model has {len(encoders)}.",
            f"Choose one for models of its family: {checkpoint.family.name}.",
        )
    check_floats(file, "", owner)
    vectors = set()
    for component, name in tensors.items():
        *number, width = file.tensors[name].shape or (0,)
        vectors.add(number[0] if number else 1)
        hidden = checkpoint.configs[component]["hidden_size"]
        if len(number) > 1 or width != hidden:
            raise ModelError(
                f"The embedding {owner} is {width} wide, and the {component} of "
                f"this model is {hidden} wide.",
                f"Choose one for models of its family: {checkpoint.family.name}.",
            )
    if len(vectors) != 1 or not 1 <= min(vectors) <= _MOST_VECTORS:
        raise ModelError(f"The embedding {owner} has {min(vectors)} to {max(vectors)} vectors.", "")
    return Embedding(path=path, token=token, vectors=vectors.pop(), tensors=tensors)
