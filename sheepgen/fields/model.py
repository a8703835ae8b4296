"""What generates: the model, and what is added to it or put in place of its parts."""

from __future__ import annotations

from sheepgen.fields.field import Field

__all__ = ["MODEL_ROWS"]

MODEL_ROWS = (
    Field(
        name="model",
        label="model",
        kind=str,
        hint_if_blank="`sheepgen models` lists what there is.",
        blank_label="model name",
        options=("-m", "--model"),
        aliases=("model-id",),
        metavar="NAME",
        panel="Model",
        help="A name or alias from `sheepgen models`, a diffusers folder, a .safetensors "
        "file, or org/name[@revision].",
        help_for_several="One or more, separated by commas.",
        file_name=(10, "{model}"),
        slug_if_empty="model",
    ),
    Field(
        name="variant",
        label="variant",
        kind=str,
        pattern=r"(?a:\w{0,30})",
        example="fp16",
        options=("--variant",),
        metavar="NAME",
        panel="Model",
        help="Which set of weights to use if a model has several, such as fp16.",
        help_for_several="Which sets of weights to use, as in fp16,non_ema.",
        file_name=(10, "{variant}"),
        slug_if_empty="usual",
        since=6,
    ),
    Field(
        name="transformer",
        label="transformer",
        kind=str,
        is_weights=True,
        options=("--transformer",),
        metavar="PATH",
        panel="Model",
        help="A transformer to use instead of the model's own, whose weights are then not needed: "
        "a .safetensors or .gguf file, or org/name[@revision][/file].",
        help_for_several="Transformers to use instead of the model's own, separated by commas.",
        file_name=(15, "{transformer}"),
        since=7,
    ),
    Field(
        name="vae",
        label="vae",
        kind=str,
        is_weights=True,
        options=("--vae",),
        metavar="PATH",
        panel="Model",
        help="A VAE to use instead of the model's own: a folder, a .safetensors file, or "
        "org/name[@revision][/file].",
        help_for_several="VAEs to use instead of the model's own, separated by commas.",
        file_name=(15, "vae-{vae}"),
        since=5,
    ),
    Field(
        name="lora",
        label="lora",
        kind=str,
        is_weights=True,
        repeats=True,
        options=("--lora",),
        aliases=("loras",),
        metavar="PATH[:SCALE]",
        panel="Model",
        help="A LoRA to add, with its scale: a folder, a .safetensors file, or "
        "org/name[@revision][/file]. Repeatable.",
        help_for_several="A LoRA to add, with its scales, as in style.safetensors:0.4,0.8. "
        "Repeatable.",
        file_name=(16, "{lora}"),
        since=5,
    ),
    Field(
        name="embedding",
        label="embedding",
        kind=str,
        is_weights=True,
        repeats=True,
        options=("--embedding",),
        aliases=("textual-inversion",),
        metavar="PATH",
        panel="Model",
        help="A text embedding to add. In prompts, use its token, or its file's name if it has "
        "none. Repeatable.",
        file_name=(17, "{embedding}"),
        since=5,
    ),
    Field(
        name="prior",
        label="prior",
        kind=str,
        is_weights=True,
        options=("--prior",),
        metavar="PATH",
        panel="Model",
        help="The prior for a decoder that comes without one: a folder, or "
        "org/name[@revision]. The official decoder finds its own.",
        help_for_several="Priors for a decoder that comes without one, separated by commas.",
        file_name=(17, "prior-{prior}"),
        since=8,
    ),
    Field(
        name="upscaler",
        label="upscaler",
        kind=str,
        is_weights=True,
        options=("--upscaler",),
        metavar="PATH",
        panel="Model",
        help="A second stage that enlarges the picture (DeepFloyd IF only): a folder, or "
        "org/name[@revision].",
        help_for_several="Second stages that enlarge the picture (DeepFloyd IF only), separated by "
        "commas.",
        file_name=(17, "up-{upscaler}"),
        since=8,
    ),
)
