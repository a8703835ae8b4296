"""What was recorded of an image, put together: `Explanation`, and its numbers as JSON values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.explain.agreement import agreement
from sheepgen.explain.heat import difference_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from torch import Tensor

    from sheepgen.events import FrameDecoded
    from sheepgen.explain.ablation import PlannedAblation
    from sheepgen.explain.agreement import Agreement
    from sheepgen.metadata.record import ImageRecord
    from sheepgen.models.family import WordAttention
    from sheepgen.pipeline.attention_maps import AttentionMaps
    from sheepgen.pipeline.token_groups import TokenGroup
    from sheepgen.prompt_reading import PromptReading

__all__ = [
    "Ablation",
    "Explanation",
    "HeatMap",
    "Step",
    "ablated",
    "heat_maps",
    "steps_of",
    "to_dict",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeatMap:
    """Where the network looks for a word, or for other tokens.

    Args:
        group: The tokens.
        mean: Share of each position's attention, the mean over layers and steps, (rows, columns).
        of_steps: Likewise, of each step; of very many steps, means of several.
        of_layers: Means over the layers of each size and all steps, from the finest.
    """

    group: TokenGroup
    mean: Tensor
    of_steps: Sequence[Tensor]
    of_layers: Sequence[Tensor]

    @property
    def share(self) -> float:
        """Share of all attention, 0 to 1."""
        return float(self.mean.mean())


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What a step did.

    Args:
        number: From 1.
        timestep: The scheduler's.
        guidance: How much the prompt changed the prediction, ``|text - uncond| / |text|``; None if
            the network ran once.
        change: How much the step changed the latents, ``|after - before| / |before|``; None before
            the first step of a second pass.
        clean: The estimate of the finished image.
        noisy: The latents after the step, as colours.
    """

    number: int
    timestep: float
    guidance: float | None
    change: float | None
    clean: Image
    noisy: Image


@dataclass(frozen=True, kw_only=True, slots=True)
class Ablation:
    """The image without a word.

    Args:
        plan: What was left out.
        image: What came of it.
        difference: How much each cell differs, 0 to 1, (rows, columns).
        agreement: Of the difference with the word's heat map; None if it has none.
    """

    plan: PlannedAblation
    image: Image
    difference: Tensor
    agreement: Agreement | None

    @property
    def changed(self) -> float:
        """Mean absolute difference of colours, 0 to 1."""
        return float(self.difference.mean())


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """All that is known of how an image came about.

    Args:
        record: Its record.
        image: The image.
        reading: What the model made of the prompt.
        attention: What shares are of: attention to the text, or to text and image at once.
        heat_maps: Of all tokens, those of words first.
        steps: In order.
        ablations: In the prompt's order; None if none were asked for.
    """

    record: ImageRecord
    image: Image
    reading: PromptReading
    attention: WordAttention
    heat_maps: Sequence[HeatMap]
    steps: Sequence[Step]
    ablations: Sequence[Ablation] | None

    @property
    def named(self) -> list[HeatMap]:
        """The heat maps of words."""
        return [each for each in self.heat_maps if each.group.is_named]

    @property
    def image_share(self) -> float:
        """The share of all attention that goes to the image itself, 0 to 1."""
        return max(0.0, 1 - sum(each.share for each in self.heat_maps))


def heat_maps(maps: AttentionMaps, groups: Sequence[TokenGroup]) -> list[HeatMap]:
    """Return the heat maps of one image, those of words first.

    Args:
        maps: Recorded of that image alone.
        groups: Its tokens.
    """
    of_steps = [maps.steps[step][0] for step in range(len(maps.steps))]
    mean, sizes = maps.steps.mean()[0], maps.by_size()
    found = [
        HeatMap(
            group=group,
            mean=mean[number],
            of_steps=[step[number] for step in of_steps],
            of_layers=[size[0, number] for size in sizes],
        )
        for number, group in enumerate(groups)
    ]
    return sorted(found, key=lambda each: not each.group.is_named)


def steps_of(frames: Sequence[FrameDecoded], maps: AttentionMaps) -> list[Step]:
    """Return the steps of one image.

    Args:
        frames: All of its run, clean and noisy.
        maps: Recorded of that image alone.
    """
    clean, noisy = (
        {frame.step: frame for frame in frames if frame.kind == kind and frame.step}
        for kind in ("clean", "noisy")
    )
    return [
        Step(
            number=number,
            timestep=frame.timestep,
            guidance=None if (shares := maps.guidance[number - 1]) is None else shares[0],
            change=noisy[number].change,
            clean=frame.image,
            noisy=noisy[number].image,
        )
        for number, frame in sorted(clean.items())
    ]


def ablated(plan: PlannedAblation, image: Image, original: Image, maps: AttentionMaps) -> Ablation:
    """Compare an image without a word with the one that has it."""
    mean = maps.steps.mean()[0]
    difference = difference_map(original, image, (mean.shape[-2], mean.shape[-1]))
    compared = None if plan.group is None else agreement(mean[plan.group], difference)
    return Ablation(plan=plan, image=image, difference=difference, agreement=compared)


def to_dict(explanation: Explanation) -> dict[str, Any]:
    """Return the numbers as plain JSON values.

    ``tokens`` and ``limit`` say how much of the prompt was read. ``groups`` lists the tokens with
    their ``share`` of all attention and its least and most at a position; ``attention`` is "cross"
    if all of it goes to the text, or "joint" if the rest goes to the image. ``steps`` has what
    `Step` says, and for each group the share at that step. ``ablations`` says for each word how
    much the image changes without it, and how far that agrees with its heat map; null if none were
    asked for.
    """
    ablations = explanation.ablations
    return {
        "tokens": explanation.reading.tokens,
        "limit": explanation.reading.limit,
        "attention": explanation.attention,
        "groups": [
            {
                **asdict(each.group),
                "share": round(each.share, 6),
                "least": round(float(each.mean.min()), 6),
                "most": round(float(each.mean.max()), 6),
            }
            for each in explanation.heat_maps
        ],
        "steps": [
            {
                "step": step.number,
                "timestep": step.timestep,
                "guidance": _rounded(step.guidance),
                "change": _rounded(step.change),
                "shares": [
                    _rounded(float(each.of_steps[step.number - 1].mean()))
                    for each in explanation.heat_maps
                ],
            }
            for step in explanation.steps
        ],
        "ablations": None if ablations is None else [_ablation(each) for each in ablations],
    }


def _ablation(ablation: Ablation) -> dict[str, Any]:
    plan, compared = ablation.plan, ablation.agreement
    return {
        "text": plan.text,
        "words": list(plan.words),
        "left_out": "tokens" if plan.leaves_tokens_out else "word",
        "prompt": plan.request.prompt,
        "changed": _rounded(ablation.changed),
        "correlation": None if compared is None else _rounded(compared.correlation),
        "overlap": None if compared is None else _rounded(compared.overlap),
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)
