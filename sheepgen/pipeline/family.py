"""The seam for families: what the loop and its callers ask of a loaded model, and nothing else.

A family is a row in `sheepgen.models.families` and the module that the row names, which offers what
`FamilyModule` says. The loop (`sheepgen.pipeline.denoise`) and the run (`sheepgen.pipeline.run`)
know no family by name.

Latents are (batch, channels, height, width) everywhere between these methods. A family whose
network takes them in another form (packed into patches, as lists) changes the form inside `predict`
and back, so that frames, variations and masks work on them as they are. What `predict` returns may
have another shape, if the family's `Process` and its scheduler know it (a learned variance).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from diffusers import SchedulerMixin
    from torch import Tensor

    from sheepgen.models.family import GuidanceKind
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.inpainting import MaskedImage
    from sheepgen.pipeline.placement import Placement
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "Denoiser",
    "FamilyModule",
    "FollowingStage",
    "LoadedModel",
    "Model",
    "ModelInfo",
    "Process",
    "Stage",
    "StagedModel",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """What the run and its checks need to know of a loaded model besides its `ModelSpec`.

    Args:
        guidance: How it is guided.
        latents_dtype: Precision that the scheduler works in.
        bytes_per_pixel: Memory that decoding takes at least, to refuse sizes that cannot fit.
        sees_mask: Whether the network was trained for inpainting, and takes a `MaskedImage`.
    """

    guidance: GuidanceKind
    latents_dtype: torch.dtype
    bytes_per_pixel: int
    sees_mask: bool = False


class Process(Protocol):
    """What a scheduler's numbers mean: how noise is mixed in, and what a prediction says of it."""

    def initial_latents(self, scheduler: SchedulerMixin, noise: Tensor) -> Tensor:
        """Return pure noise at the scale at which the scheduler begins."""

    def add_noise(
        self, scheduler: SchedulerMixin, clean: Tensor, noise: Tensor, step: int
    ) -> Tensor:
        """Return clean latents as noisy as they are before a step, at the scheduler's scale.

        Args:
            scheduler: With its timesteps set; either not stepped yet, or about to take ``step``.
            clean: (batch, channels, height, width).
            noise: Likewise.
            step: Index of the step's timestep.
        """

    def model_input(self, scheduler: SchedulerMixin, latents: Tensor, timestep: Tensor) -> Tensor:
        """Return the scheduler's latents at the scale that the network was trained on."""

    def alpha_sigma(self, scheduler: SchedulerMixin, timestep: Tensor) -> tuple[float, float]:
        """Return the shares of clean latents and noise in the network's input.

        Args:
            scheduler: With its timesteps set, before ``step`` is called.
            timestep: The one that ``step`` will be called with.
        """

    def predict_x0(
        self, model_input: Tensor, prediction: Tensor, *, alpha: float, sigma: float
    ) -> Tensor:
        """Return the clean latents that a prediction stands for, float32."""

    def scheduler_prediction(
        self,
        scheduler: SchedulerMixin,
        model_input: Tensor,
        prediction: Tensor,
        *,
        alpha: float,
        sigma: float,
    ) -> Tensor:
        """Return a prediction in the form that this scheduler was built for."""


class Denoiser(Protocol):
    """What the loop needs: a network and what its numbers mean."""

    @property
    def process(self) -> Process:
        """What the network predicts."""

    def predict(
        self,
        model_input: Tensor,
        timestep: Tensor,
        conditioning: Any,  # noqa: ANN401 - the family's own
        guidance: Guidance,
    ) -> Tensor:
        """Return one prediction for each image, in one or two passes, guided.

        Args:
            model_input: (batch, channels, height, width), from `Process.model_input`.
            timestep: The scheduler's; a family with other units or signs converts both ways.
            conditioning: From `Model.encode`, of as many images.
            guidance: How strongly it is followed.
        """


class Stage(Denoiser, Protocol):
    """A network on its device that a pass goes through, and what the pass needs besides."""

    @property
    def info(self) -> ModelInfo:
        """What callers need to know of it."""

    @property
    def device(self) -> torch.device:
        """Where it works, and its weights are unless there is a `placement`."""

    def encode(self, requests: Sequence[ResolvedRequest]) -> Any:  # noqa: ANN401
        """Return the conditioning of a batch: the family's own frozen dataclass.

        The family reads what it needs of a request (texts, guidance, size) and may keep what it has
        encoded, within bounds. An image's conditioning does not depend on the others'.
        """

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        """Return one image's noise, (1, channels, height, width) of the latents, float32, CPU.

        It is the first that a pass takes from ``generator``; the scheduler continues with the same.

        Args:
            width: Of the image, in pixels.
            height: Likewise.
            generator: On the CPU.
        """

    def build_scheduler(self, request: ResolvedRequest) -> SchedulerMixin:
        """Return a fresh scheduler with its timesteps set, for one run of such an image.

        Raises:
            UsageError: If the schedule has no room for so many steps.
            ModelError: If the scheduler cannot be used with this model.
        """


class LoadedModel(Protocol):
    """A loaded model on its device, in evaluation mode, for sheepgen's loop or diffusers'."""

    @property
    def info(self) -> ModelInfo:
        """What callers need to know of it."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""

    @property
    def spec(self) -> ModelSpec:
        """The folder that it was loaded from."""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of its weights."""

    @property
    def placement(self) -> Placement | None:
        """What keeps its components off the device; None if all are there."""

    @property
    def preview_decoder(self) -> Callable[[Tensor], Tensor] | None:
        """Cheap stand-in for `decode`: latents to (batch, 3, height, width), about -1 to 1."""

    def read_prompt(self, text: str, form: PromptFormat = PLAIN, /) -> PromptReading:
        """Return how much of a text is read and, if the model parses it, what is understood.

        Args:
            text: A prompt.
            form: How it is read, if the family has a choice.
        """

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels, (batch, 3, height, width), about -1 to 1, of latents in the loop's form.

        Raises:
            NonFiniteError: If they are not finite.
        """


class Model(LoadedModel, Stage, Protocol):
    """A loaded model that runs in sheepgen's loop."""

    def token_labels(self, prompt: str, form: PromptFormat = PLAIN, /) -> Sequence[TokenLabel]:
        """Return what the positions stand for that the network attends to.

        Args:
            prompt: Its words are those between white space, as typed.
            form: As for `read_prompt`.
        """

    def with_masked_image(self, conditioning: Any, masked: MaskedImage) -> Any:  # noqa: ANN401
        """Return conditioning with what is to be repainted; only called if the network sees it."""

    def encode_image(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the latents of pixels, (batch, 3, height, width), -1 to 1; undoes `decode`."""


class FollowingStage(Stage, Protocol):
    """A network that continues with what another stage made."""

    def with_result(
        self,
        conditioning: Any,  # noqa: ANN401 - the family's own
        result: Tensor,
        generators: Sequence[torch.Generator],
    ) -> Any:  # noqa: ANN401
        """Return conditioning with what the stage before made.

        Args:
            conditioning: From `Stage.encode`.
            result: The final latents of the stage before, (batch, channels, height, width).
            generators: One for each image, which have drawn the noise of this pass already.
        """


class StagedModel(Model, Protocol):
    """A model that has networks for other stages besides its own, which makes pictures."""

    def stage(self, name: str, request: ResolvedRequest) -> Stage:
        """Return the network of another stage, as a batch goes through it.

        Args:
            name: As in `sheepgen.passes.Pass`.
            request: One of the batch.
        """


class FamilyModule(Protocol):
    """What the module offers that a row of `sheepgen.models.families` names."""

    def load(self, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> LoadedModel:
        """Load a model: a `Model`, unless the family's row says that it runs in diffusers' loop.

        Raises:
            ModelError: If the model's folder is damaged.
        """

    def read_prompt(
        self, spec: ModelSpec, text: str, form: PromptFormat = PLAIN, /
    ) -> PromptReading:
        """Do what `Model.read_prompt` does, without loading the weights of the other parts."""

    def check_schedule(self, spec: ModelSpec, request: ResolvedRequest) -> None:
        """Check that the scheduler gets through its steps, without loading the model's weights.

        Raises:
            UsageError: If so many steps do not fit.
            ModelError: If the scheduler cannot be used with this model.
        """
