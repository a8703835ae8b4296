"""The form of a row in `sheepgen.models.families`: all that is known before torch is loaded.

What its module offers once torch is there is in `sheepgen.pipeline.family`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sheepgen.fields import MAX_SIDE, MAX_STEPS

if TYPE_CHECKING:
    from sheepgen.adapters import Adapters

__all__ = [
    "Component",
    "Configs",
    "Family",
    "GuidanceKind",
    "MadeFor",
    "PriorFit",
    "Role",
    "Traits",
    "Values",
    "WordAttention",
    "guidance_words",
]

Configs = Mapping[str, Mapping[str, Any]]
"""The configs of a model's components, by component, as they are in the files."""

Values = Mapping[str, Any]
"""The fields of a request, with the model's own values for those that it leaves open."""

GuidanceKind = Literal["two passes", "embedded", "none"]
"""How a network is guided: it runs with and without the prompt, it reads the scale and needs no
negative prompt, or not at all."""

WordAttention = Literal["cross", "joint"]
"""How the image's positions attend to words: in cross-attention to the text alone, or in joint
attention to text and image at once."""

Role = Literal[
    "text encoder",
    "image encoder",
    "prior",
    "cascade prior",
    "cascade decoder",
    "U-Net",
    "transformer",
    "autoencoder",
    "resident",
]
"""What a component does. An image encoder sees one picture while the model is loaded, and is gone
after that; a prior makes embeddings of a picture, a cascade's makes small latents, and its decoder
those of the autoencoder from them; what is resident is small, and always on the device."""


_TAKES_TURNS = re.compile(
    r"(prior_)?(prior|text_encoder|image_encoder|transformer|unet|vae|vqvae|movq)(_\d)?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """What a folder of the family holds for one component.

    Args:
        library: Library of its class.
        library_parts: Parts of that library that an index may name in its place.
        classes: Regular expression for the names of the classes that are loaded.
        role: What it does; None if it has no weights.
        config: Its config file.
        inner_config: Setting under which the file has the config of the part that is loaded, if it
            is of more than that; what else it has there is not read.
        inner_configs: Settings that are configs themselves, and regular expressions for the
            ``model_type`` that each must have.
        weights: How the names of its weight files begin, without ``.safetensors``; None if it has
            no weights.
        files: Further files that are read if they are there.
        any_of: Those of them of which there must be at least one; the first is the usual one.
        required: Settings that its config must have.
        refused: Settings that are not supported, and what they ask for.
        limits: Integers that settings may be, where they mean something else than in other classes.
        unread: Regular expression for the names of weights that its files may have and that are not
            loaded.
        keeps_float32: Says whether a weight stays float32 at another precision: of the precision,
            its class, its config and the name of the weight.
        optional: Whether a folder may do without. Such a component is not in the index, is there if
            its weights are, and does not count for the hash of the model: finished images must not
            depend on it.
        can_be_flat: Whether its files may lie beside the index, where its folder has none, as older
            versions of diffusers wrote models of one network.
        can_be_none: Whether an index may say that its folder has none, and the model runs without.
    """

    library: str
    library_parts: tuple[str, ...] = ()
    classes: str
    role: Role | None = None
    config: str = "config.json"
    inner_config: str = ""
    inner_configs: Mapping[str, str] = field(default_factory=dict)
    weights: str | None = None
    files: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, range] = field(default_factory=dict)
    unread: str = ""
    keeps_float32: Callable[[str, str, Mapping[str, Any], str], bool] = lambda *_: False
    optional: bool = False
    can_be_flat: bool = False
    can_be_none: bool = False

    def leaves_out(self, weight: str) -> bool:
        """Return whether a weight is not loaded, by its name."""
        return re.fullmatch(self.unread, weight) is not None

    def allows(self, library: str, class_name: str) -> bool:
        """Return whether a class is one of those that are loaded."""
        is_known = library in (self.library, *self.library_parts)
        return is_known and re.fullmatch(self.classes, class_name) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeFor:
    """The range in which a model's images are good; outside it they are poor.

    Args:
        guidance_scale: Lowest and highest, in diffusers' convention, where 1 or less is off.
        num_inference_steps: Fewest and most, with most schedulers.
        side: Shortest and longest width or height, in pixels.
        slower_schedulers: Short names of schedulers that need more steps, and how many.
    """

    guidance_scale: tuple[float, float]
    num_inference_steps: tuple[int, int]
    side: tuple[int, int]
    slower_schedulers: tuple[tuple[str, int], ...] = ()

    @property
    def guidance(self) -> str:
        """The guidance, in words."""
        return f"guidance {guidance_words(*self.guidance_scale)}"

    @property
    def steps(self) -> str:
        """The steps, in words."""
        fewest, most = self.num_inference_steps
        return f"{fewest} steps or more" if most == MAX_STEPS else f"{_span(fewest, most)} steps"

    @property
    def sides(self) -> str:
        """The sides, in words."""
        return f"sides of {_span(*self.side)} pixels"


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """What requests need to know of a model, as its configs say it.

    Args:
        width: Default width, in pixels.
        height: Default height, in pixels.
        size_multiple: Widths and heights must be multiples of this many pixels.
        longest_side: Longest width or height that its network has positions for, in pixels.
        max_tokens: Longest prompt in tokens, special tokens included; 0 if it reads none.
        text_layers: Layers of the text encoder, of several the fewest; None if no request can
            choose one.
        prior: Default number of steps and guidance of its prior; None if it has none.
        num_inference_steps: Default number of denoising steps.
        guidance_scale: Default guidance in diffusers' convention, where 1 is off.
        guidance: How the model is guided.
        made_for: The range in which its images are good; None if the configs do not say.
        needs_mask: Whether it was trained for inpainting, and does nothing else.
        unread: Fields of a request that have no effect, though other families read them.
    """

    width: int
    height: int
    size_multiple: int
    max_tokens: int
    num_inference_steps: int
    guidance_scale: float
    guidance: GuidanceKind = "two passes"
    made_for: MadeFor | None = None
    needs_mask: bool = False
    text_layers: int | None = None
    prior: tuple[int, float] | None = None
    unread: tuple[str, ...] = ()
    longest_side: int = MAX_SIDE


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorFit:
    """Which priors in folders of their own go with the decoders of a family.

    Args:
        family: Name of the priors' family.
        made: Component and setting of a prior that say how wide what it makes is.
        taken: Those of a decoder that say how wide it has to be.
    """

    family: str
    made: tuple[str, str]
    taken: tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Family:
    """A family of models that runs.

    Args:
        name: What it is called.
        class_names: ``_class_name`` in the ``model_index.json`` of its models.
        components: What a folder holds, by component.
        read_traits: Reads the configs, which have passed every check, and the ``model_index.json``,
            which is empty for a model in a single file.
        check_fit: Checks how settings and components fit together; the second argument is the
            owner for the message. Raises `ModelError`.
        check_request: Checks what its models cannot do though others can. Raises `UsageError`.
        pipeline: Name of the module that loads it, as ``load(spec, device, dtype)``.
        fields: Fields of a request that only some families read, and this one does: those of what
            can be added to its models, too.
        is_flow: Whether its networks predict the velocity of a flow from noise to images; else the
            noise of DDPM's schedule, or what `sheepgen.schedulers.PREDICTION_TYPES` lists.
        reads_prompt: Whether its images are of what a prompt says.
        has_one_scale: Whether things come out at the size in pixels that they were trained at, so
            that a larger image of one shows it several times, however it begins.
        word_attention: How its network attends to the prompt's words, if
            `sheepgen.pipeline.attention_maps` can record that.
        caches: Names of `sheepgen.caches.CACHES` that its network can run with.
        text_layer: Layer of the text encoder that is read unless a request says otherwise, counted
            from the last.
        settings: Settings in the index that its pipeline is built with, and what they may be.
        own_loop: Whether its images are made by sheepgen's loop; else by diffusers' pipeline.
        prior: Which priors are added to its models, if they are decoders alone.
        part: Field of a request that names such a folder, if it is a part that does not run by
            itself but is added to models of another family.
        unused: Components that a folder may have and that are not loaded.
        example: A model of it on the Hub, which files of transformers can be given to.
        vocabulary: File of a folder that lists what the model can show, as
            `sheepgen.embedded.vocabulary_file` reads it; None if the model takes any words.
    """

    name: str
    class_names: tuple[str, ...]
    components: Mapping[str, Component]
    read_traits: Callable[[Configs, Mapping[str, Any]], Traits]
    check_fit: Callable[[Configs, str], None] = lambda configs, owner: None  # noqa: ARG005
    check_request: Callable[[Values, Configs], None] = lambda values, configs: None  # noqa: ARG005
    pipeline: str
    fields: tuple[str, ...] = ()
    is_flow: bool = False
    reads_prompt: bool = True
    has_one_scale: bool = False
    word_attention: WordAttention | None = None
    caches: tuple[str, ...] = ()
    text_layer: int = 1
    settings: Mapping[str, Callable[[object], bool]] = field(default_factory=dict)
    own_loop: bool = True
    prior: PriorFit | None = None
    part: str = ""
    unused: tuple[str, ...] = ()
    example: str = ""
    vocabulary: str | None = None

    def can_offload(self) -> bool:
        """Return whether its components can be off the device while others work.

        Those of classes of their own stay there.
        """
        return all(
            each.library in ("diffusers", "transformers") and _TAKES_TURNS.fullmatch(name)
            for name, each in self.components.items()
            if each.weights is not None
        )

    def takes(self, adapters: Adapters) -> bool:
        """Return whether all of this can be added to its models."""
        return all(kind in self.fields for kind, _ in adapters.names)


def guidance_words(low: float, high: float) -> str:
    """Return a range of guidance scales in words; what is less than 1 is off, as 1 is."""
    low, high = max(low, 1.0), max(high, 1.0)
    return f"{_span(low, high)}{' (off)' if high == 1 else ''}"


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
