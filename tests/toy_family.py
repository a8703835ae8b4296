"""A family that has nothing in common with Stable Diffusion, added without an edit of sheepgen.

It works on pixels, so that there is no VAE. Its text encoder is a count of letters, so that there
is no tokenizer. It is a flow, ``x = (1 - s) * x0 + s * noise``, whose network takes 2 by 2 patches,
a time that runs backwards and the guidance scale, and predicts the negated velocity.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import diffusers
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sheepgen.errors import UsageError
from sheepgen.models.family import Component, Family, Traits
from sheepgen.pipeline.building import building
from sheepgen.pipeline.family import ModelInfo
from sheepgen.pipeline.tokens import TokenLabel
from sheepgen.prompt_reading import PromptReading
from sheepgen.prompt_syntax import PLAIN
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from diffusers import SchedulerMixin

    from sheepgen.models.family import Configs
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import Model
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.inpainting import MaskedImage
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

PATCH = 2
MAX_LETTERS = 24
FLOW_SCHEDULERS = ("dpmpp_2m", "unipc")


def _traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    side = configs["painter"]["sample_size"]
    return Traits(
        width=side,
        height=side,
        size_multiple=PATCH,
        max_tokens=MAX_LETTERS,
        num_inference_steps=3,
        guidance_scale=2.0,
        guidance="embedded",
    )


TOY = Family(
    name="Toy",
    class_names=("ToyFlowPipeline",),
    components={
        "painter": Component(
            library="toy",
            classes="Painter",
            role="resident",
            weights="model",
            required=("sample_size",),
        ),
        "scheduler": Component(
            library="diffusers",
            classes="DPMSolverMultistepScheduler",
            config="scheduler_config.json",
        ),
    },
    read_traits=_traits,
    pipeline=__name__,
)


class Painter(nn.Module):
    """Patches, time, guidance and letters to the way from noise to image."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3 * PATCH**2, 3 * PATCH**2, 3, padding=1)
        self.letters = nn.Linear(256, 3 * PATCH**2)
        self.numbers = nn.Linear(2, 3 * PATCH**2)

    def forward(self, patches: Tensor, time: Tensor, scale: float, letters: Tensor) -> Tensor:
        numbers = torch.stack([time, torch.tensor(scale)]).to(letters)
        bias = self.letters(letters) + self.numbers(numbers)
        painted: Tensor = self.patches(patches) + bias[:, :, None, None]
        return painted


@dataclass(frozen=True, slots=True)
class Letters:
    """The family's conditioning: (batch, 256) counts of bytes."""

    counts: Tensor


class FlowProcess:
    """What a flow's numbers mean."""

    def initial_latents(self, scheduler: SchedulerMixin, noise: Tensor) -> Tensor:
        del scheduler
        return noise

    def add_noise(
        self, scheduler: SchedulerMixin, clean: Tensor, noise: Tensor, step: int
    ) -> Tensor:
        s = float(scheduler.sigmas[step])
        return (1 - s) * clean + s * noise

    def model_input(self, scheduler: SchedulerMixin, latents: Tensor, timestep: Tensor) -> Tensor:
        del scheduler, timestep
        return latents

    def alpha_sigma(self, scheduler: SchedulerMixin, timestep: Tensor) -> tuple[float, float]:
        del timestep
        s = float(scheduler.sigmas[scheduler.step_index or scheduler.begin_index or 0])
        return 1 - s, s

    def predict_x0(
        self, model_input: Tensor, prediction: Tensor, *, alpha: float, sigma: float
    ) -> Tensor:
        del alpha
        return model_input.float() - sigma * prediction.float()

    def scheduler_prediction(
        self,
        scheduler: SchedulerMixin,
        model_input: Tensor,
        prediction: Tensor,
        *,
        alpha: float,
        sigma: float,
    ) -> Tensor:
        del scheduler, model_input, alpha, sigma
        return prediction


@dataclass(frozen=True, kw_only=True)
class ToyModel:
    """A loaded model: a `sheepgen.pipeline.family.Model`."""

    spec: ModelSpec
    device: torch.device
    dtype: torch.dtype
    painter: Painter
    preview_decoder: None = None
    placement: None = None

    @property
    def process(self) -> FlowProcess:
        return FlowProcess()

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(guidance="embedded", latents_dtype=torch.float32, bytes_per_pixel=12)

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        return read_prompt(self.spec, text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        return [TokenLabel(position=0, kind="word", text=prompt, word=0)]

    def encode(self, requests: Sequence[ResolvedRequest]) -> Letters:
        texts = [request.prompt.encode()[:MAX_LETTERS] for request in requests]
        counts = [torch.bincount(torch.tensor([*text]), minlength=256) for text in texts]
        return Letters(torch.stack(counts).to(self.device, self.dtype))

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        return torch.randn(1, 3, height, width, generator=generator)

    def build_scheduler(self, request: ResolvedRequest) -> SchedulerMixin:
        return build_scheduler(request)

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: Letters, guidance: Guidance
    ) -> Tensor:
        patches = pixel_unshuffle(model_input.to(self.dtype), PATCH)
        time = 1 - timestep / 1000
        return -pixel_shuffle(
            self.painter(patches, time, guidance.scale, conditioning.counts), PATCH
        ).float()

    def with_masked_image(self, conditioning: Any, masked: MaskedImage) -> Any:
        del masked
        return conditioning

    def decode(self, latents: Tensor) -> Tensor:
        return latents

    def encode_image(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        del generator
        return pixels.to(self.device)


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Model:
    (weights,) = spec.checkpoint.weights
    with building("painter", spec.checkpoint.stored["painter"]):
        painter = Painter()
        painter.load_state_dict(load_file(spec.folder / weights))
    painter = painter.to(device, dtype).eval().requires_grad_(requires_grad=False)
    return ToyModel(spec=spec, device=device, dtype=dtype, painter=painter)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    return PromptReading(
        tokens=len(text.encode()),
        limit=spec.max_tokens,
        truncated=tuple(text[MAX_LETTERS:].split()),
    )


def check_schedule(spec: ModelSpec, request: ResolvedRequest) -> None:
    del spec
    build_scheduler(request)


def build_scheduler(request: ResolvedRequest) -> SchedulerMixin:
    if request.scheduler not in FLOW_SCHEDULERS:
        raise UsageError(
            f"{request.scheduler} does not run with flow models.",
            f"Choose one of {', '.join(FLOW_SCHEDULERS)}.",
        )
    scheduler_class = getattr(diffusers, SCHEDULERS[request.scheduler].class_name)
    scheduler = scheduler_class(prediction_type="flow_prediction", use_flow_sigmas=True)
    scheduler.set_timesteps(request.num_inference_steps)
    return scheduler


def save_toy_model(folder: Path) -> Path:
    """Write a model's folder and return it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = Painter().state_dict()
    index: dict[str, Any] = {
        "_class_name": "ToyFlowPipeline",
        "painter": ["toy", "Painter"],
        "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
    }
    files: dict[str, Any] = {
        "model_index.json": index,
        "painter/config.json": {"sample_size": 16},
        "scheduler/scheduler_config.json": {
            "_class_name": "DPMSolverMultistepScheduler",
            "algorithm_type": "dpmsolver++",
            "use_flow_sigmas": True,
        },
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    save_file(weights, folder / "painter" / "model.safetensors")
    return folder
