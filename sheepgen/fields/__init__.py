"""The fields of a request, one row each: everything that describes a field is in its row.

Options of all commands, jobs, sweeps, records, other programs' parameters, templates and file names
are derived from here. A new field takes a row, a line in `sheepgen.request.GenerationRequest`,
which has its type and default, and the code that uses it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import OWN_SCHEDULER, SCHEDULERS

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

MAX_SEED = 2**64 - 1
"""Largest seed that ``torch.Generator.manual_seed`` takes."""

RANDOM_SEED = -1
"""What AUTOMATIC1111 writes for a seed that is to be picked at random; no request has it."""

MAX_STEPS = 1000
MAX_GUIDANCE = 100
MAX_SIDE = 8192
MAX_PROMPT_CHARACTERS = 20_000

Value = str | int | float
"""A field's value, unless it is unset."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a request.

    Args:
        name: As in `sheepgen.request.GenerationRequest`.
        label: The user's name for it; with underscores, its key in a job and in a template.
        kind: Type of its values.
        low: Smallest number allowed.
        high: Largest number allowed.
        hint_if_blank: What to do about a blank text; "" if blank texts are allowed.
        blank_label: Its name in errors about texts; "" for the label.
        pattern: Regular expression that texts have to match; "" for any text.
        example: A text that does.
        from_model: Whether None stands for the model's own value.
        is_seed: Whether `RANDOM_SEED`, or no value where one is needed, picks one at random.
        is_file: Whether it is the path of a picture.
        choices: All values that are allowed; empty for any.
        is_weights: Whether it names files that are added to the model, as `sheepgen.adapters` says.
        repeats: Whether the option may be repeated; its values are joined with commas.
        per_image: Whether images of one batch may differ in it.
        needs: Flag of `sheepgen.schedulers.SchedulerSpec` without which it has no effect.
        needs_guidance: Whether it has no effect unless the model also runs without the prompt.
        needs_image: Whether it means nothing without a picture to start from.
        options: Spellings on the command line, the long one last.
        aliases: Other programs' spellings: accepted, and not shown.
        metavar: Stands for a value in ``--help``.
        panel: Heading in ``--help``.
        help: One sentence.
        help_for_several: The sentence for options with several values; "" for the same.
        options_for_several: Their spellings; empty for the same.
        axis: Axis of a sweep that the field shares with others; "" for one of its own.
        file_name: Its place in the file names of a sweep and its part of them, a template; the part
            is "" if every name has it anyway.
        slug_if_empty: Stands for a text without letters and digits in file names.
        a1111: Keys in AUTOMATIC1111's parameters; all are read, the first is written.
        since: Record format that introduced it; a new field takes the next number.
    """

    name: str
    label: str
    kind: type[Value]
    low: int = 0
    high: int = 0
    hint_if_blank: str = ""
    blank_label: str = ""
    pattern: str = ""
    example: str = ""
    from_model: bool = False
    is_seed: bool = False
    is_file: bool = False
    choices: tuple[str, ...] = ()
    is_weights: bool = False
    repeats: bool = False
    per_image: bool = False
    needs: str = ""
    needs_guidance: bool = False
    needs_image: bool = False
    options: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    metavar: str
    panel: str
    help: str
    help_for_several: str = ""
    options_for_several: tuple[str, ...] = ()
    axis: str = ""
    file_name: tuple[int, str] = (0, "")
    slug_if_empty: str = "none"
    a1111: tuple[str, ...] = ()
    since: int = 1

    @property
    def key(self) -> str:
        """The label as one word."""
        return self.label.replace(" ", "_")

    @property
    def option(self) -> str:
        """The long spelling."""
        return self.options[-1]

    @property
    def is_hashed(self) -> bool:
        """Whether it names files, whose hashes are in the resolved request."""
        return self.is_file or self.is_weights

    def check(self, value: Value | None) -> None:
        """Check a value as far as that is possible without the model.

        Raises:
            UsageError: If it is out of range, not a choice, too long, blank or not valid UTF-8.
        """
        if isinstance(value, str):
            self._check_text(value)
        elif value is not None and not self.low <= value <= self.high:
            got = f"{value:g}" if isinstance(value, float) else excerpt(value)
            raise UsageError(f"{self.label} must be between {self.low} and {self.high}, got {got}.")

    def has_effect(self, scheduler: str) -> bool:
        """Return whether the value changes the image with this scheduler."""
        if scheduler == OWN_SCHEDULER:  # of a model whose `ModelSpec.unread` says it
            return True
        return not self.needs or bool(getattr(SCHEDULERS[scheduler], self.needs))

    def _check_text(self, text: str) -> None:
        label = self.blank_label or self.label
        if len(text) > MAX_PROMPT_CHARACTERS:
            raise UsageError(
                f"The {label} has {len(text):,} characters.",
                f"At most {MAX_PROMPT_CHARACTERS:,} are allowed.",
            )
        if "\0" in text:
            raise UsageError(f"The {label} contains a NUL character.", "Remove it.")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"The {label} is not valid UTF-8.", "Check how it was typed."
            ) from error
        if self.choices and text not in self.choices:
            raise UsageError(
                f'Unknown {label} "{excerpt(text)}".', f"Known: {', '.join(self.choices)}."
            )
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise UsageError(f'{label} must look like {self.example}, got "{excerpt(text)}".')
        if self.hint_if_blank and not text.strip():
            raise UsageError(f"The {label} is empty.", self.hint_if_blank)


_NUMBER = r"[0-9]{1,4}(\.[0-9]{0,4})?|\.[0-9]{1,4}"
_SIDES = "[1-9][0-9]{0,3}x[1-9][0-9]{0,3}"

_ROWS = (
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
    Field(
        name="prompt",
        label="prompt",
        kind=str,
        hint_if_blank="Say what to generate.",
        per_image=True,
        options=("-p", "--prompt"),
        metavar="TEXT",
        panel="Image",
        help="The prompt.",
        slug_if_empty="image",
    ),
    Field(
        name="negative_prompt",
        label="negative prompt",
        kind=str,
        per_image=True,
        needs_guidance=True,
        options=("-n", "--negative-prompt"),
        aliases=("negative",),
        metavar="TEXT",
        panel="Image",
        help="What to avoid.",
        help_for_several="What to avoid; {|blur} expands to two negative prompts.",
        file_name=(9, "not-{negative_prompt}"),
    ),
    Field(
        name="prompt_syntax",
        label="prompt syntax",
        kind=str,
        choices=("plain", "a1111"),
        options=("--prompt-syntax",),
        metavar="WORD",
        panel="Image",
        help="How prompts are read: plain, or a1111, where (word:1.3), [word] and BREAK mean what "
        "they mean in AUTOMATIC1111's web UI.",
        file_name=(18, "{prompt_syntax}"),
        since=6,
    ),
    Field(
        name="long_prompt",
        label="long prompt",
        kind=str,
        choices=("cut", "chunk"),
        options=("--long-prompt",),
        metavar="WORD",
        panel="Image",
        help="What is done to a prompt that is too long: cut, or chunk, to read it whole, in "
        "chunks. With the syntax a1111, it always is.",
        file_name=(19, "{long_prompt}"),
        a1111=("Long prompt",),
        since=6,
    ),
    Field(
        name="image",
        label="image",
        kind=str,
        hint_if_blank="Give the path of a picture.",
        blank_label="path of the image",
        is_file=True,
        options=("--image",),
        aliases=("init-image", "init-img"),
        metavar="FILE",
        panel="Image",
        help="Picture to start from instead of noise alone: PNG, JPEG or WebP.",
        help_for_several="Pictures to start from, separated by commas.",
        file_name=(11, "{image}"),
        slug_if_empty="picture",
        since=4,
    ),
    Field(
        name="mask",
        label="mask",
        kind=str,
        hint_if_blank="Give the path of a picture.",
        blank_label="path of the mask",
        is_file=True,
        needs_image=True,
        options=("--mask",),
        aliases=("mask-image",),
        metavar="FILE",
        panel="Image",
        help="What of the picture to repaint: white is repainted, black stays as it is.",
        help_for_several="What of the picture to repaint, separated by commas: white is repainted, "
        "black stays as it is.",
        file_name=(13, "{mask}"),
        slug_if_empty="mask",
        since=4,
    ),
    Field(
        name="fit",
        label="fit",
        kind=str,
        choices=("crop", "pad", "stretch"),
        needs_image=True,
        options=("--fit",),
        metavar="WORD",
        panel="Image",
        help="How a picture of another shape is brought to the size: crop (its middle), pad (with "
        "white) or stretch. Defaults to crop.",
        file_name=(14, "{fit}"),
        since=4,
    ),
    Field(
        name="width",
        label="width",
        kind=int,
        low=1,
        high=MAX_SIDE,
        from_model=True,
        options=("-W", "--width"),
        metavar="PIXELS",
        panel="Image",
        help="Width in pixels.",
        axis="size",
        file_name=(4, "{width}x{height}"),
    ),
    Field(
        name="height",
        label="height",
        kind=int,
        low=1,
        high=MAX_SIDE,
        from_model=True,
        options=("-H", "--height"),
        metavar="PIXELS",
        panel="Image",
        help="Height in pixels.",
        axis="size",
    ),
    Field(
        name="hires",
        label="hires",
        kind=str,
        pattern=rf"(none|({_NUMBER})(:({_NUMBER}))?)?",
        example="2:0.5",
        options=("--hires",),
        aliases=("hires-fix",),
        metavar="SCALE[:STRENGTH]",
        panel="Image",
        help="A second pass over the upscaled image, this many times larger, with this share of "
        "noise (0.5 if left out), as in 1.5 or 2:0.4; none for no such pass.",
        help_for_several="Second passes over the upscaled image, as in none,1.5,2:0.4: how many "
        "times larger, and the share of noise (0.5 if left out).",
        file_name=(18, "hires-{hires}"),
        since=6,
    ),
    Field(
        name="scheduler",
        label="scheduler",
        kind=str,
        from_model=True,
        options=("--scheduler",),
        aliases=("sampler", "sampler-index", "sampler-name"),
        metavar="NAME",
        panel="Model",
        help="A name from `sheepgen schedulers`.",
        help_for_several="One or more, separated by commas, as in ddim,euler.",
        file_name=(3, "{scheduler}"),
        slug_if_empty="scheduler",
        a1111=("Sampler",),
    ),
    Field(
        name="num_inference_steps",
        label="steps",
        kind=int,
        low=1,
        high=MAX_STEPS,
        from_model=True,
        options=("--steps",),
        aliases=("ddim-steps", "inference-steps", "num-inference-steps"),
        metavar="N",
        panel="Model",
        help="Denoising steps.",
        help_for_several="Denoising steps, as in 10,20 or 10-50:10.",
        file_name=(2, "{steps}steps"),
        a1111=("Steps",),
    ),
    Field(
        name="guidance_scale",
        label="guidance",
        kind=float,
        low=0,
        high=MAX_GUIDANCE,
        from_model=True,
        options=("-g", "--guidance"),
        aliases=("cfg", "cfg-scale", "guidance-scale"),
        metavar="SCALE",
        panel="Model",
        help="How closely to follow the prompt; 1 is off.",
        help_for_several="How closely to follow the prompt, as in 3,5,7.5 or 1-9:2; 1 is off.",
        file_name=(1, "g{guidance}"),
        a1111=("CFG scale",),
    ),
    Field(
        name="true_cfg",
        label="true cfg",
        kind=float,
        low=0,
        high=MAX_GUIDANCE,
        options=("--true-cfg",),
        aliases=("true-cfg-scale",),
        metavar="SCALE",
        panel="Model",
        help="Guidance by a second pass with the negative prompt, beside the one that the model "
        "reads (FLUX.1 only); 1 is off.",
        help_for_several="Guidance by a second pass with the negative prompt, as in 1,2,4 (FLUX.1 "
        "only); 1 is off.",
        file_name=(1, "true{true_cfg}"),
        a1111=("True CFG",),
        since=6,
    ),
    Field(
        name="prior_steps",
        label="prior steps",
        kind=int,
        low=2,
        high=MAX_STEPS,
        options=("--prior-steps",),
        aliases=("prior-num-inference-steps",),
        metavar="N",
        panel="Model",
        help="Denoising steps of the prior (Kandinsky only). Defaults to 25.",
        help_for_several="Denoising steps of the prior, as in 10,25 (Kandinsky only).",
        file_name=(2, "prior{prior_steps}steps"),
        a1111=("Prior steps",),
        since=7,
    ),
    Field(
        name="prior_guidance",
        label="prior guidance",
        kind=float,
        low=0,
        high=MAX_GUIDANCE,
        options=("--prior-guidance",),
        aliases=("prior-guidance-scale",),
        metavar="SCALE",
        panel="Model",
        help="How closely the prior follows the prompt (Kandinsky only); 1 is off. Defaults to 4.",
        help_for_several="How closely the prior follows the prompt, as in 1,4 (Kandinsky only); "
        "1 is off.",
        file_name=(1, "prior-g{prior_guidance}"),
        a1111=("Prior guidance",),
        since=7,
    ),
    Field(
        name="guidance_end",
        label="guidance end",
        kind=float,
        low=0,
        high=1,
        needs_guidance=True,
        options=("--guidance-end",),
        aliases=("cfg-trunc-ratio",),
        metavar="0..1",
        panel="Model",
        help="Share of the steps that are guided; those after it are faster (Lumina 2 only). "
        "Defaults to 1.",
        help_for_several="Share of the steps that are guided, as in 0.25,1 (Lumina 2 only).",
        file_name=(1, "guided{guidance_end}"),
        a1111=("Guidance end",),
        since=8,
    ),
    Field(
        name="upscaler_steps",
        label="upscaler steps",
        kind=int,
        low=1,
        high=MAX_STEPS,
        options=("--upscaler-steps",),
        metavar="N",
        panel="Model",
        help="Denoising steps of the upscaler. Defaults to 50.",
        help_for_several="Denoising steps of the upscaler, as in 25,50.",
        file_name=(2, "up{upscaler_steps}steps"),
        a1111=("Upscaler steps",),
        since=8,
    ),
    Field(
        name="upscaler_guidance",
        label="upscaler guidance",
        kind=float,
        low=0,
        high=MAX_GUIDANCE,
        options=("--upscaler-guidance",),
        metavar="SCALE",
        panel="Model",
        help="How closely the upscaler follows the prompt; 1 is off. Defaults to 4.",
        help_for_several="How closely the upscaler follows the prompt, as in 1,4; 1 is off.",
        file_name=(1, "up-g{upscaler_guidance}"),
        a1111=("Upscaler guidance",),
        since=8,
    ),
    Field(
        name="upscaler_noise",
        label="upscaler noise",
        kind=int,
        low=0,
        high=999,
        options=("--upscaler-noise",),
        aliases=("noise-level",),
        metavar="N",
        panel="Model",
        help="How noisy the upscaler sees the smaller picture, 0 to 999: more noise lets it change "
        "more. Defaults to 250.",
        help_for_several="How noisy the upscaler sees the smaller picture, as in 100,250.",
        file_name=(1, "up-n{upscaler_noise}"),
        a1111=("Upscaler noise",),
        since=8,
    ),
    Field(
        name="guidance_rescale",
        label="guidance rescale",
        kind=float,
        low=0,
        high=1,
        needs_guidance=True,
        options=("--guidance-rescale",),
        metavar="0..1",
        panel="Model",
        help="Rescale guidance to reduce over-exposure.",
        help_for_several="Rescale guidance to reduce over-exposure, 0 to 1.",
        file_name=(7, "rescale{guidance_rescale}"),
        a1111=("Guidance rescale",),
    ),
    Field(
        name="eta",
        label="eta",
        kind=float,
        low=0,
        high=1,
        needs="takes_eta",
        options=("--eta",),
        metavar="0..1",
        panel="Model",
        help="Noise added at each step (ddim and tcd only).",
        help_for_several="Noise added at each step, 0 to 1 (ddim and tcd only).",
        file_name=(8, "eta{eta}"),
        # The web UI has another one for its ancestral samplers, by the name of the first.
        a1111=("Eta", "Eta DDIM"),
    ),
    Field(
        name="strength",
        label="strength",
        kind=float,
        low=0,
        high=1,
        needs_image=True,
        options=("--strength",),
        aliases=("denoising-strength",),
        metavar="0..1",
        panel="Image",
        help="Share of noise to start with: near 0 keeps the picture, 1 leaves nothing of it. "
        "Defaults to 0.8, with a mask to 1.",
        help_for_several="Shares of noise to start with, as in 0.3,0.6: near 0 keeps the picture, "
        "1 leaves nothing of it. Defaults to 0.8, with a mask to 1.",
        file_name=(12, "strength{strength}"),
        a1111=("Denoising strength",),
        since=4,
    ),
    Field(
        name="original_size",
        label="original size",
        kind=str,
        pattern=_SIDES,
        example="1024x768",
        options=("--original-size",),
        metavar="WxH",
        panel="Model",
        help="Size of the picture that the image is to look scaled from (SDXL only).",
        help_for_several="Sizes of pictures to look scaled from, as in 512x512,2048x2048 (SDXL).",
        file_name=(15, "from{original_size}"),
        a1111=("Original size",),
        since=5,
    ),
    Field(
        name="crop_offset",
        label="crop offset",
        kind=str,
        pattern="[0-9]{1,4}x[0-9]{1,4}",
        example="256x0",
        options=("--crop-offset",),
        metavar="XxY",
        panel="Model",
        help="How far from left and top the image is to look cropped, in pixels (SDXL only).",
        help_for_several="How far from left and top to look cropped, as in 0x0,256x0 (SDXL only).",
        file_name=(16, "crop{crop_offset}"),
        a1111=("Crop offset",),
        since=5,
    ),
    Field(
        name="target_size",
        label="target size",
        kind=str,
        pattern=_SIDES,
        example="1024x768",
        options=("--target-size",),
        metavar="WxH",
        panel="Model",
        help="Size of the picture after the crop (SDXL only).",
        help_for_several="Sizes of the picture after the crop, as in 512x512,768x768 (SDXL only).",
        file_name=(17, "to{target_size}"),
        a1111=("Target size",),
        since=5,
    ),
    Field(
        name="clip_skip",
        label="clip skip",
        kind=int,
        low=1,
        high=64,
        options=("--clip-skip",),
        metavar="N",
        panel="Model",
        help="Which layer of the text encoder is read, counted from the last; 1 is off.",
        help_for_several="Which layers of the text encoder are read, counted from the last, as in "
        "1,2; 1 is off.",
        file_name=(20, "clipskip{clip_skip}"),
        a1111=("Clip skip",),
        since=6,
    ),
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
        help="How strongly to blend it in. Small values keep the composition.",
        help_for_several="How strongly to blend them in, 0 to 1, as in 0-0.5:0.1.",
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
        options=("-s", "--seed"),
        metavar="N",
        panel="Image",
        help="Random seed.",
        help_for_several="Random seeds, as in 1-8 or 3,42.",
        options_for_several=("-s", "--seeds", "--seed"),
        a1111=("Seed",),
    ),
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
