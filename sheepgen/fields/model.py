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
        help="Which of a model's weight files to use if it has several sets, such as fp16.",
        help_for_several="Which of a model's weight files to use, as in fp16,non_ema.",
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
        help="A transformer in place of the model's own, whose weights need not be there then: a "
        ".safetensors or .gguf file, or org/name[@revision][/file].",
        help_for_several="Transformers in place of the model's own, separated by commas.",
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
        help="A VAE in place of the model's own: a folder, a .safetensors file, or "
        "org/name[@revision][/file].",
        help_for_several="VAEs in place of the model's own, separated by commas.",
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
        help="A LoRA to add, and how strongly: a folder, a .safetensors file, or "
        "org/name[@revision][/file]. Repeatable.",
        help_for_several="A LoRA to add, and how strongly, as in style.safetensors:0.4,0.8. "
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
        help="A text embedding; its token, or else its file's name, stands for it in prompts. "
        "Repeatable.",
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
        help="The prior of a decoder that has none (Kandinsky only): a folder, or "
        "org/name[@revision]. Defaults to the makers' own for their decoder.",
        help_for_several="Priors of a decoder that has none (Kandinsky only), separated by commas.",
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
        help="A second stage that makes the picture larger (DeepFloyd IF only): a folder, or "
        "org/name[@revision].",
        help_for_several="Second stages that make pictures larger (DeepFloyd IF only), separated "
        "by commas.",
        file_name=(17, "up-{upscaler}"),
        since=8,
    ),
)
