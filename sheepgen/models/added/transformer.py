"""A transformer in one file that takes the place of a model's own.

    --transformer flux1-dev-Q4_K_S.gguf
    --transformer city96/FLUX.1-dev-gguf/flux1-dev-Q8_0.gguf

It is a safetensors or a GGUF file, with its weights named as diffusers names them or as the makers
of the model do, and has no config: the model's own is used, and has to fit.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.added.places import existing, read_file
from sheepgen.models.checkpoint import TransformerFile
from sheepgen.models.gguf import GGUF_SUFFIX
from sheepgen.models.safetensors import StoredWeights
from sheepgen.models.single_file import check_floats, shapes_below
from sheepgen.models.transformer_layouts import layout_of

if TYPE_CHECKING:
    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.inferred_configs import Shapes
    from sheepgen.models.transformer_layouts import TransformerLayout

__all__ = ["find_transformer", "with_transformer"]

_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "")
"""How the names of weights may begin; the first is that of files that hold whole models."""


def find_transformer(text: str, checkpoint: Checkpoint) -> TransformerFile:
    """Find a transformer, and check that it is for this model.

    Raises:
        ModelError: If there is none, it is damaged or of types that are not loaded, or it is
            another class's or size than the model's config says.
    """
    path, owner = existing("transformer", text)
    if path.is_dir():
        raise ModelError(f"{owner} is a folder.", "Give a .safetensors or a .gguf file.")
    is_gguf = path.suffix.lower() == GGUF_SUFFIX
    file = read_file(path, owner)
    prefix = next(prefix for prefix in _PREFIXES if shapes_below(file, prefix) or not prefix)
    shapes = shapes_below(file, prefix)
    layout = _checked_layout(shapes, checkpoint, owner)
    if is_gguf and not layout.has_gguf:
        raise ModelError(
            f"{owner} is a {GGUF_SUFFIX} file, which diffusers does not read for "
            f"{checkpoint.family.name}.",
            "Give a .safetensors file.",
        )
    if not is_gguf:
        check_floats(file, prefix, owner)
    sizes = [
        math.prod(each.shape) if is_gguf else each.data_bytes
        for name, each in file.tensors.items()
        if name.startswith(prefix)
    ]
    stored = StoredWeights(tensors=len(sizes), data_bytes=sum(sizes))
    return TransformerFile(
        path=path,
        prefix=prefix,
        stored=stored,
        is_gguf=is_gguf,
        is_original=layout.is_original,
    )


def with_transformer(checkpoint: Checkpoint, text: str) -> Checkpoint:
    """Return a model whose transformer is replaced; the same model if ``text`` is empty.

    Raises:
        ModelError: As `find_transformer`.
    """
    if not text:
        return checkpoint
    file = find_transformer(text, checkpoint)
    stored = {**checkpoint.stored, "transformer": file.stored}
    return replace(checkpoint, transformer=file, stored=stored)


def _checked_layout(shapes: Shapes, checkpoint: Checkpoint, owner: str) -> TransformerLayout:
    family = checkpoint.family
    layout = layout_of(shapes)
    if layout is None:
        raise ModelError(
            f"{owner} is not a transformer of a known layout.",
            f"Choose one for models of its family: {family.name}.",
        )
    if not family.components["transformer"].allows("diffusers", layout.class_name):
        raise ModelError(
            f"{owner} is not a transformer of {family.name}, but {layout.class_name}.",
            "Choose a model of its family with --model.",
        )
    wanted = layout.sizes_of(checkpoint.configs["transformer"])
    for what, size in layout.sizes(shapes).items():
        if size != wanted[what]:
            raise ModelError(
                f"{owner} is not for this model: it has {size} as its {what}, and the model's "
                f"config {wanted[what]}.",
                "Choose the --model that it was made from.",
            )
    return layout
