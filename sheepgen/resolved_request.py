"""What one image is, with nothing left for the model to decide, and the passes that make it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from sheepgen.branch import parse_branch
from sheepgen.hires import parse_hires
from sheepgen.passes import PRIOR, STAGE_SCHEDULER, UPSCALER, Pass
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import steps_taken

__all__ = ["Leg", "ResolvedRequest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedRequest(GenerationRequest):
    """One image, with nothing left for the model to decide.

    `sheepgen.models.spec.ModelSpec.resolve` makes it of a request; records carry it.

    Args:
        stages: The network that denoises besides the model's own, ``prior`` or ``upscaler``; None
            if there is none.
        upscaler_width: Of what the upscaler makes, in pixels; None if there is none.
        upscaler_height: Likewise.
        hires_width: Of the second pass, in pixels; None if there is none.
        hires_height: Likewise.
        image_sha256: Of the bytes of the picture that ``image`` names.
        mask_sha256: Of those of the mask.
        transformer_sha256: Of the transformer's file; None if there is none.
        vae_sha256: Of the file of the VAE's weights; None if there is none.
        lora_sha256: Of those of the LoRAs, separated by commas.
        embedding_sha256: Of those of the embeddings, likewise.
        upscaler_sha256: Of all of the upscaler's weights, as a model's.
        prior_sha256: Likewise, of the prior's.
        lora_autov3: What other programs know the LoRAs by, likewise: the first 12 digits of the
            SHA-256 of their tensors alone.
    """

    num_inference_steps: int
    guidance_scale: float
    width: int
    height: int
    scheduler: str
    stages: str | None = None
    upscaler_width: int | None = None
    upscaler_height: int | None = None
    hires_width: int | None = None
    hires_height: int | None = None
    image_sha256: str | None = None
    mask_sha256: str | None = None
    transformer_sha256: str | None = None
    vae_sha256: str | None = None
    lora_sha256: str | None = None
    embedding_sha256: str | None = None
    upscaler_sha256: str | None = None
    prior_sha256: str | None = None
    lora_autov3: str | None = None

    @property
    def batch_key(self) -> tuple[object, ...]:
        """What images must share to go through one loop.

        A prior draws noise for the negative prompt, too, if there is one.
        """
        key = super(ResolvedRequest, self).batch_key
        return (*key, self.stages == PRIOR and self.negative_prompt != "")

    @property
    def passes(self) -> tuple[Pass, ...]:
        """The passes through the denoising loop, in their order."""
        steps = self.num_inference_steps
        own = Pass(
            stage="",
            width=self.width,
            height=self.height,
            steps=steps_taken(steps, self.strength),
            num_inference_steps=steps,
            guidance_scale=self.guidance_scale,
            scheduler=self.scheduler,
        )
        passes = [own]
        if self.stages == PRIOR:
            assert self.prior_steps is not None, "the model's own is filled in"
            assert self.prior_guidance is not None, "likewise"
            prior = Pass(
                stage=PRIOR,
                width=0,
                height=0,
                steps=self.prior_steps,
                num_inference_steps=self.prior_steps,
                guidance_scale=self.prior_guidance,
                scheduler=STAGE_SCHEDULER,
            )
            passes = [prior, own]
        if self.stages == UPSCALER:
            assert self.upscaler_width is not None, "it is resolved"
            assert self.upscaler_height is not None, "likewise"
            assert self.upscaler_steps is not None, "likewise"
            assert self.upscaler_guidance is not None, "likewise"
            larger = Pass(
                stage=UPSCALER,
                width=self.upscaler_width,
                height=self.upscaler_height,
                steps=self.upscaler_steps,
                num_inference_steps=self.upscaler_steps,
                guidance_scale=self.upscaler_guidance,
                scheduler=STAGE_SCHEDULER,
            )
            passes.append(larger)
        hires = parse_hires(self.hires)
        if hires and self.hires_width is not None and self.hires_height is not None:
            second = own._replace(
                width=self.hires_width,
                height=self.hires_height,
                steps=steps_taken(steps, hires.strength),
            )
            passes.append(second)
        return tuple(passes)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The stretches of its steps in which nothing changes, in their order."""
        if not self.branch:
            return (Leg(steps_before=0, request=self),)
        own = replace(self, branch="")
        legs = [Leg(steps_before=0, request=own)]
        for change in parse_branch(self.branch):
            # A prompt takes the place of a blend, which has its words in the prompt's.
            before = {"blend": ""} if "prompt" in change.values else {}
            own = replace(own, **{**before, **change.values})
            legs.append(Leg(steps_before=change.step, request=own))
        return tuple(legs)

    @property
    def steps_taken(self) -> int:
        """Denoising steps of all passes."""
        return sum(each.steps for each in self.passes)

    @property
    def final_size(self) -> tuple[int, int]:
        """Width and height of the finished image in pixels."""
        return self.passes[-1].width, self.passes[-1].height


class Leg(NamedTuple):
    """A stretch of an image's steps in which nothing changes.

    Args:
        steps_before: The scheduler's steps before it, of all passes.
        request: What is asked for in it, which has no ``branch``.
    """

    steps_before: int
    request: ResolvedRequest
