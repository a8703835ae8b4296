"""How the weights of transformers are named, in diffusers' files and in their makers'.

A transformer in one file says nothing of itself: which class it is of, and how large it is, follows
from the names and shapes of its weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.inferred_configs import Shapes

__all__ = ["TRANSFORMER_LAYOUTS", "TransformerLayout", "layout_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformerLayout:
    """How a class names its weights, in diffusers or as its makers do.

    Args:
        class_name: Of diffusers.
        reads: The weight that reads latents: (width, numbers in a patch), or a convolution's.
        others: Further weights; no other class has all of them.
        blocks: How the names of its blocks' weights begin, by the setting that says how many there
            are.
        patch: How many latents wide a patch is, if ``in_channels`` counts those of one latent: a
            setting, or a number.
        is_original: Whether its makers name them so, and diffusers does not.
        has_gguf: Whether diffusers reads such weights from GGUF files.
    """

    class_name: str
    reads: str
    others: tuple[str, ...]
    blocks: Mapping[str, str]
    patch: str | int = 1
    is_original: bool = False
    has_gguf: bool = True

    def sizes(self, shapes: Shapes) -> dict[str, int]:
        """Return how large a transformer is, by settings or in words."""
        width, *patch = shapes[self.reads]
        counts = {setting: _count(shapes, start) for setting, start in self.blocks.items()}
        return {"width": width, "numbers in a patch": math.prod(patch), **counts}

    def sizes_of(self, config: Mapping[str, Any]) -> dict[str, int]:
        """Return what `sizes` returns of the transformer that a config is for."""
        width = (
            config.get("dim")
            or config.get("hidden_size")
            or config["attention_head_dim"] * config["num_attention_heads"]
        )
        side = config[self.patch] if isinstance(self.patch, str) else self.patch
        counts = {setting: config[setting] for setting in self.blocks}
        return {"width": width, "numbers in a patch": config["in_channels"] * side**2, **counts}


def _count(shapes: Shapes, start: str) -> int:
    """Return how many blocks there are whose weights' names begin so, before their number."""
    return len(
        {name.removeprefix(start).split(".")[0] for name in shapes if name.startswith(start)}
    )


_FLUX = {"num_layers": "transformer_blocks.", "num_single_layers": "single_transformer_blocks."}
_ORIGINAL_FLUX = {"num_layers": "double_blocks.", "num_single_layers": "single_blocks."}
_LUMINA_2 = {"num_layers": "layers."}

TRANSFORMER_LAYOUTS: tuple[TransformerLayout, ...] = (
    TransformerLayout(
        class_name="FluxTransformer2DModel",
        reads="x_embedder.weight",
        others=("time_text_embed.text_embedder.linear_1.weight",),
        blocks=_FLUX,
    ),
    TransformerLayout(
        class_name="FluxTransformer2DModel",
        reads="img_in.weight",
        others=("vector_in.in_layer.weight",),
        blocks=_ORIGINAL_FLUX,
        is_original=True,
    ),
    TransformerLayout(
        class_name="ChromaTransformer2DModel",
        reads="x_embedder.weight",
        others=("distilled_guidance_layer.in_proj.weight",),
        blocks=_FLUX,
    ),
    TransformerLayout(
        class_name="ChromaTransformer2DModel",
        reads="img_in.weight",
        others=("distilled_guidance_layer.in_proj.weight",),
        blocks=_ORIGINAL_FLUX,
        is_original=True,
    ),
    TransformerLayout(
        class_name="Flux2Transformer2DModel",
        reads="x_embedder.weight",
        others=("double_stream_modulation_img.linear.weight",),
        blocks=_FLUX,
    ),
    TransformerLayout(
        class_name="Flux2Transformer2DModel",
        reads="img_in.weight",
        others=("double_stream_modulation_img.lin.weight",),
        blocks=_ORIGINAL_FLUX,
        is_original=True,
    ),
    TransformerLayout(  # as its makers name them, too
        class_name="QwenImageTransformer2DModel",
        reads="img_in.weight",
        others=("txt_norm.weight", "txt_in.weight"),
        blocks={"num_layers": "transformer_blocks."},
    ),
    TransformerLayout(
        class_name="SD3Transformer2DModel",
        reads="pos_embed.proj.weight",
        others=("time_text_embed.text_embedder.linear_1.weight",),
        blocks={"num_layers": "transformer_blocks."},
        patch="patch_size",
    ),
    TransformerLayout(
        class_name="SD3Transformer2DModel",
        reads="x_embedder.proj.weight",
        others=("y_embedder.mlp.0.weight",),
        blocks={"num_layers": "joint_blocks."},
        patch="patch_size",
        is_original=True,
    ),
    TransformerLayout(
        class_name="Lumina2Transformer2DModel",
        reads="x_embedder.weight",
        others=("time_caption_embed.caption_embedder.1.weight",),
        blocks=_LUMINA_2,
        patch="patch_size",
    ),
    TransformerLayout(  # Z-Image has no nonlinearity there, and so another number
        class_name="Lumina2Transformer2DModel",
        reads="x_embedder.weight",
        others=("cap_embedder.1.weight", "layers.0.adaLN_modulation.1.weight"),
        blocks=_LUMINA_2,
        patch="patch_size",
        is_original=True,
    ),
    TransformerLayout(
        class_name="PixArtTransformer2DModel",
        reads="pos_embed.proj.weight",
        others=("adaln_single.linear.weight",),
        blocks={"num_layers": "transformer_blocks."},
        patch="patch_size",
        has_gguf=False,
    ),
    TransformerLayout(
        class_name="PixArtTransformer2DModel",
        reads="x_embedder.proj.weight",
        others=("t_block.1.weight", "blocks.0.mlp.fc1.weight"),
        blocks={"num_layers": "blocks."},
        patch="patch_size",
        is_original=True,
        has_gguf=False,
    ),
    TransformerLayout(
        class_name="SanaTransformer2DModel",
        reads="patch_embed.proj.weight",
        others=("caption_norm.weight",),
        blocks={"num_layers": "transformer_blocks."},
        patch="patch_size",
    ),
    TransformerLayout(
        class_name="SanaTransformer2DModel",
        reads="x_embedder.proj.weight",
        others=("attention_y_norm.weight",),
        blocks={"num_layers": "blocks."},
        patch="patch_size",
        is_original=True,
    ),
    TransformerLayout(
        class_name="ZImageTransformer2DModel",
        reads="all_x_embedder.2-1.weight",
        others=("cap_embedder.1.weight", "cap_pad_token"),
        blocks={"n_layers": "layers."},
        patch=2,
    ),
    TransformerLayout(
        class_name="ZImageTransformer2DModel",
        reads="x_embedder.weight",
        others=("cap_embedder.1.weight", "cap_pad_token"),
        blocks={"n_layers": "layers."},
        patch=2,
        is_original=True,
    ),
)


def layout_of(shapes: Shapes) -> TransformerLayout | None:
    """Return the layout of a transformer's weights; None if it is not known.

    Args:
        shapes: Of all weights, by name.
    """
    for layout in TRANSFORMER_LAYOUTS:
        if all(name in shapes for name in (layout.reads, *layout.others)) and shapes[layout.reads]:
            return layout
    return None
