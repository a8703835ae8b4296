"""Kandinsky's prior: a diffusion model of CLIP's embeddings of pictures, given a prompt.

https://arxiv.org/abs/2204.06125, section 2.2. The transformer sees CLIP's reading of the prompt,
word by word and as a whole, the time and a noisy embedding, and predicts the clean one.

The loop's latents are (images, embeddings, width, 1). With a negative prompt there are two
embeddings, of it as well: one generator draws the noise of both, as in diffusers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import torch
from diffusers import PriorTransformer, UnCLIPScheduler
from transformers import (
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from sheepgen.passes import STAGE_SCHEDULER
from sheepgen.pipeline.building import component_errors, running
from sheepgen.pipeline.clip import load_clip
from sheepgen.pipeline.family import ModelInfo
from sheepgen.pipeline.loading import load_diffusers, load_text_encoder, load_tokenizer
from sheepgen.pipeline.process import DiffusionProcess
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.pipeline.scheduler import set_timesteps, walk
from sheepgen.pipeline.text_cache import TextCache
from sheepgen.pipeline.tokens import measure_text, unknown_tokens
from sheepgen.schedulers import prediction_type_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diffusers import SchedulerMixin
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.added.prior import PriorFolder
    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["Prior", "PriorTexts", "check_prior_steps", "measure_prompt"]

_VISION_SETTINGS = (
    "hidden_act",
    "hidden_size",
    "image_size",
    "intermediate_size",
    "layer_norm_eps",
    "num_attention_heads",
    "num_channels",
    "num_hidden_layers",
    "patch_size",
    "projection_dim",
)


class PriorTexts(NamedTuple):
    """What the prior sees of texts; a row for each.

    Args:
        embeds: Of the texts as a whole, (rows, width).
        states: Word by word, (rows, tokens, width).
        mask: (rows, tokens), what is not padding.
    """

    embeds: Tensor
    states: Tensor
    mask: Tensor


class _Scheduler(UnCLIPScheduler):  # type: ignore[misc]
    """Knows its next timestep by itself, as other schedulers do."""

    order = 1

    def step(self, model_output: Tensor, timestep: Tensor, sample: Tensor, **arguments: Any) -> Any:  # noqa: ANN401
        later = self.timesteps[self.timesteps < timestep]
        following = later[0] if len(later) else None
        return super().step(model_output, timestep, sample, prev_timestep=following, **arguments)


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A loaded prior: a `sheepgen.pipeline.family.Stage`.

    Args:
        device: Where it is.
        dtype: Precision of its weights.
        limit: Tokens that a prompt is padded or cut to.
        tokenizer: Prompt to token ids.
        text_encoder: Token ids to states, and to one embedding.
        transformer: Predicts embeddings of pictures.
        black: CLIP's embedding of a black picture, (1, width): of what is in no prompt.
        scheduler_config: Of the folder.
        embeddings: How many it makes for each image: with a negative prompt two.
    """

    device: torch.device
    dtype: torch.dtype
    limit: int
    tokenizer: PreTrainedTokenizerBase
    text_encoder: CLIPTextModelWithProjection
    transformer: PriorTransformer
    black: Tensor
    scheduler_config: Mapping[str, Any]
    embeddings: int = 1
    _encoded: TextCache[PriorTexts] = field(default_factory=TextCache, repr=False, compare=False)

    @classmethod
    def load(cls, place: PriorFolder, device: torch.device, dtype: torch.dtype) -> Self:
        """Load it; the image encoder sees a black picture, and is not kept."""
        checkpoint, prefix = place
        black = _black_picture(place, device, dtype)
        texts = load_clip(checkpoint, CLIPTextModelWithProjection, device, dtype, prefix=prefix)
        transformer = load_diffusers(checkpoint, f"{prefix}prior", PriorTransformer, dtype)
        return cls(
            device=device,
            dtype=dtype,
            limit=transformer.config.num_embeddings,
            tokenizer=texts[f"{prefix}tokenizer"],
            text_encoder=texts[f"{prefix}text_encoder"],
            transformer=transformer.to(device),
            black=black,
            scheduler_config=MappingProxyType(checkpoint.configs[f"{prefix}scheduler"]),
        )

    @property
    def info(self) -> ModelInfo:
        """What callers need to know."""
        return ModelInfo(guidance="two passes", latents_dtype=self.dtype, bytes_per_pixel=0)

    @property
    def process(self) -> DiffusionProcess:
        """What the transformer predicts."""
        return DiffusionProcess(prediction_type_of(self.scheduler_config))

    def build_scheduler(self, request: ResolvedRequest) -> SchedulerMixin:
        """Return a fresh scheduler with its timesteps set."""
        return _build_scheduler(self.scheduler_config, request.num_inference_steps)

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        """Return one image's noise, (1, embeddings, width of an embedding, 1), float32."""
        del width, height
        shape = (1, self.embeddings, self.transformer.config.embedding_dim, 1)
        return torch.randn(shape, generator=generator, dtype=torch.float32)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> tuple[PriorTexts, ...]:
        """Encode texts as diffusers' pipeline does: those of the prompts, and without them.

        Returns:
            What each pass sees: with guidance two, that without the prompts first. Each has a row
            for each image and embedding.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        prompts, negatives = [], []
        for request in requests:
            negative = request.negative_prompt
            both = self.embeddings == 2
            prompts.append((request.prompt, negative) if both else (request.prompt,))
            negatives.append((negative, negative) if both else (negative,))
        passes = [negatives, prompts] if requests[0].guidance_scale > 1 else [prompts]
        return tuple(
            PriorTexts(*map(torch.cat, zip(*map(self._encode_texts, texts), strict=True)))
            for texts in passes
        )

    def _encode_texts(self, texts: tuple[str, ...]) -> PriorTexts:
        """Return what becomes of the texts of one image, from memory if it is there."""
        if (encoded := self._encoded.get(texts)) is not None:
            return encoded
        with running("tokenizer"):
            tokens = self.tokenizer(
                [*texts],
                padding="max_length",
                max_length=self.limit,
                truncation=True,
                return_tensors="pt",
            )
        if tokens.input_ids.max() >= self.text_encoder.config.vocab_size:
            raise unknown_tokens("text_encoder")
        with running("text_encoder"):
            output = self.text_encoder(tokens.input_ids.to(self.device))
        encoded = PriorTexts(
            embeds=output.text_embeds,
            states=output.last_hidden_state,
            mask=tokens.attention_mask.bool().to(self.device),
        )
        return self._encoded.keep(texts, encoded, len(texts))

    def predict(
        self,
        model_input: Tensor,
        timestep: Tensor,
        conditioning: tuple[PriorTexts, ...],
        guidance: Guidance,
    ) -> Tensor:
        """Return the guided prediction, (images, embeddings, width, 1)."""
        rows = model_input.flatten(0, 1).squeeze(-1)  # (images * embeddings, width)
        texts = PriorTexts(*map(torch.cat, zip(*conditioning, strict=True)))
        with running("prior"):
            predicted: Tensor = self.transformer(
                torch.cat([rows] * len(conditioning)),
                timestep,
                proj_embedding=texts.embeds,
                encoder_hidden_states=texts.states,
                attention_mask=texts.mask,
                return_dict=False,
            )[0]
        if len(conditioning) == 2:
            uncond, text = predicted.chunk(2)
            predicted = uncond + guidance.scale * (text - uncond)
        return predicted.reshape(model_input.shape)

    @torch.inference_mode()
    def finish(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings of the pictures that are wanted, and of those to stay away from.

        Args:
            latents: The loop's, after the last step.

        Returns:
            (images, width) each.
        """
        # At the scale of CLIP's own embeddings.
        finished = self.transformer.post_process_latents(latents.squeeze(-1))
        wanted, *others = finished.unbind(dim=1)
        black = self.black.to(wanted.device)  # it was made where the components wait
        return wanted, others[0] if others else black.repeat(len(wanted), 1)


@torch.inference_mode()
def _black_picture(place: PriorFolder, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return CLIP's embedding of a black picture, (1, width)."""
    name = f"{place.prefix}image_encoder"
    encoder = load_text_encoder(
        place.checkpoint, name, CLIPVisionModelWithProjection, _VISION_SETTINGS, dtype
    ).to(device)
    size: int = encoder.config.image_size
    with running(name):
        embeds: Tensor = encoder(torch.zeros(1, 3, size, size, device=device, dtype=dtype))[0]
    return embeds


def _build_scheduler(config: Mapping[str, Any], steps: int) -> SchedulerMixin:
    scheduler = _Scheduler.from_config(dict(config))
    set_timesteps(scheduler, steps)
    return scheduler


def check_prior_steps(place: PriorFolder, steps: int) -> None:
    """Go through the steps of a prior's scheduler, without the prior.

    Raises:
        UsageError: If so many steps do not fit.
        ModelError: If the config cannot be used.
    """
    config = place.checkpoint.configs[f"{place.prefix}scheduler"]
    with quiet_libraries(), component_errors("prior's scheduler config"):
        walk(STAGE_SCHEDULER, _build_scheduler(config, steps))


def measure_prompt(place: PriorFolder, text: str) -> PromptReading:
    """Return how much of a text a prior reads, by its tokenizer alone."""
    prior = place.checkpoint.configs[f"{place.prefix}prior"]
    return measure_text(_load_tokenizer(*place), text, prior["num_embeddings"])


@lru_cache(maxsize=4)
def _load_tokenizer(checkpoint: Checkpoint, prefix: str) -> PreTrainedTokenizerBase:
    return load_tokenizer(checkpoint, f"{prefix}tokenizer", CLIPTokenizer)
