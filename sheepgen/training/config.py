"""The recipe of the embedded model: every number that training depends on, in one place."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt
from sheepgen.training.atomic_write import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "PRESETS",
    "AutoencoderConfig",
    "ClassifierConfig",
    "DataConfig",
    "DiffusionConfig",
    "TextConfig",
    "TrainingConfig",
    "Workspace",
    "check_workspace",
    "incompatible_setting",
]

SMALL_CAST = (
    "sheep", "cat", "dog", "cow", "elephant", "penguin", "motorcycle", "bicycle", "bus", "rocket",
    "apple", "pizza", "cactus", "castle", "house", "top hat",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """Scenes: how many, how large.

    ``scenes`` are what the U-Net learns from, in a mix of icon sets and of a cast of concepts, all
    of them if empty. ``pictures`` are what the VAE learns from: they show all icon sets equally
    often, so that it depends on none.
    """

    image_size: int = 256
    mix: str = "styles"
    cast: tuple[str, ...] = ()
    scenes: int = 600_000
    pictures: int = 6_000
    held_out_scenes: int = 1_000
    seed: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class TextConfig:
    """The text encoder's prompt parser: a small transformer, trained on made-up prompts."""

    width: int = 128
    layers: int = 2
    heads: int = 4
    steps: int = 1_000
    batch_size: int = 128
    learning_rate: float = 2.5e-3
    seed: int = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoencoderConfig:
    """The VAE: 8 pixels a latent side, its decoder trained on crops.

    ``AutoencoderTiny``'s plain residual blocks learn flat colours and edges some ten times faster
    here than ``AutoencoderKL``'s normalised ones: 19.9 dB after 830 steps instead of 18.4 dB after
    2,000. Blocks are listed from latents up to whole pictures; there are none at full size.
    """

    width: int = 32
    decoder_blocks: tuple[int, ...] = (4, 2, 1, 0)
    latent_channels: int = 12
    steps: int = 12_000
    batch_size: int = 4
    crop: int = 64
    learning_rate: float = 1e-3
    latent_noise: float = 0.1
    preview_width: int = 64
    preview_steps: int = 4_000
    seed: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffusionConfig:
    """The U-Net: narrow, for conditioning tokens hold what concepts look like.

    At its finest level attention looks for what is to be copied; at ``attention_level``, and in
    the middle, whole transformers decide what goes where. Both attend to conditioning tokens that
    are projected to ``text_width``.

    Smooth pictures show through much noise. So the noise schedule is linear in its variances, as
    DDPM's: words decide at signal-to-noise ratios below 1/40, and there two fifths of its time are
    spent, of the squared cosine one's a tenth.

    ``attention_loss_weight`` is that of the attention's cross-entropy, beside the latents' loss.

    The learning rate is constant, then falls linearly to zero over the last ``decay_share`` of the
    steps, so that a longer run can resume from a shorter one's checkpoint.
    """

    channels: tuple[int, ...] = (96, 128, 192, 192)
    attention_level: int = 2
    text_width: int = 128
    layers_per_block: int = 1
    head_dim: int = 32
    norm_groups: int = 16
    embedding_size: int = 256
    steps: int = 4_400
    batch_size: int = 256
    learning_rate: float = 3e-3
    warmup_steps: int = 300
    decay_share: float = 0.55
    ema_decay: float = 0.998
    empty_caption_rate: float = 0.1
    attention_loss_weight: float = 0.1
    seed: int = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierConfig:
    """The evaluation's classifier, trained on scenes of another seed than the model's."""

    train_scenes: int = 40_000
    steps: int = 4_000
    batch_size: int = 128
    learning_rate: float = 2e-3
    seed: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingConfig:
    """The whole recipe."""

    data: DataConfig = field(default_factory=DataConfig)
    text: TextConfig = field(default_factory=TextConfig)
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)

    @property
    def evaluated(self) -> bool:
        """Whether the model is evaluated: one of few concepts does not know most prompts."""
        return not self.data.cast


PRESETS: dict[str, TrainingConfig] = {
    "full": TrainingConfig(),
    "small": TrainingConfig(
        data=DataConfig(mix="house", cast=SMALL_CAST, scenes=3_000, pictures=1_500),
        text=TextConfig(steps=600, batch_size=64),
        autoencoder=AutoencoderConfig(steps=2_000, preview_steps=300),
        diffusion=DiffusionConfig(
            channels=(64, 96, 160, 192),
            steps=700,
            batch_size=16,
            learning_rate=2e-3,
            warmup_steps=50,
        ),
    ),
    "tune": TrainingConfig(
        data=DataConfig(scenes=16_000),
        diffusion=DiffusionConfig(
            steps=5_200, batch_size=16, learning_rate=8e-4, decay_share=0.09, ema_decay=0.995
        ),
    ),
}
"""Recipes by name.

Small shows how a model learns, with sixteen things: about half an hour on two cores, most of it for
the U-Net. Full is for a GPU: it needs ten minutes for the U-Net, and 16
GB for the examples; two cores would take a day. Tune continues from a full model's U-Net
(``--from``) with some 800 small steps, which take two cores an hour.
"""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where downloads, data, checkpoints and the exported model lie."""

    root: Path

    @property
    def latents(self) -> Path:
        """The training scenes, encoded."""
        return self.root / "latents"

    @property
    def packages(self) -> Path:
        """Downloaded npm packages."""
        return self.root / "packages"

    @property
    def history(self) -> Path:
        """How training went so far."""
        return self.root / "history.jsonl"

    @property
    def checkpoints(self) -> Path:
        """What a training that was stopped resumes from."""
        return self.root / "checkpoints"

    def checkpoint(self, name: str) -> Path:
        """Return the file of that name among the checkpoints."""
        return self.checkpoints / f"{name}.pt"

    @property
    def classifier(self) -> Path:
        """The trained classifier, in the form in which it is installed."""
        return self.root / "judge.safetensors"

    @property
    def samples(self) -> Path:
        """Sample sheets, to watch the model learn."""
        return self.root / "samples"

    @property
    def scenes(self) -> Path:
        """Painted scenes, a folder a split."""
        return self.root / "scenes"


IDENTITY = {
    "data": ("image_size", "mix", "cast", "seed"),
    "text": ("width", "layers", "heads"),
    "autoencoder": ("width", "decoder_blocks", "latent_channels"),
    "diffusion": (
        "channels",
        "attention_level",
        "text_width",
        "layers_per_block",
        "head_dim",
        "norm_groups",
        "embedding_size",
    ),
}
"""The settings that make networks and data what they are; all others may change on the way."""


def incompatible_setting(recorded: dict[str, Any], config: TrainingConfig) -> str:
    """Return the first setting of `IDENTITY` that differs, or an empty string.

    Args:
        recorded: A recipe as JSON has it; a setting that it lacks counts as different.
        config: The recipe to compare it with.
    """
    wanted = _as_json(config)
    for section, names in IDENTITY.items():
        for name in names:
            if recorded.get(section, {}).get(name) != wanted[section][name]:
                return f"{section}.{name}"
    return ""


def check_workspace(workspace: Workspace, config: TrainingConfig) -> None:
    """Record the recipe in a new workspace, or check it against the one that is recorded.

    Raises:
        UsageError: If the workspace belongs to another recipe.
    """
    path = workspace.root / "recipe.json"
    if path.exists():
        recorded = json.loads(path.read_text("utf-8"))
    elif workspace.checkpoints.exists():
        recorded = {}
    else:
        recorded = _as_json(config)
        workspace.root.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            partial.write_text(json.dumps(recorded, indent=2) + "\n", "utf-8")
    if differing := incompatible_setting(recorded, config):
        raise UsageError(
            f"{excerpt(workspace.root, 200)} belongs to another recipe: {differing} differs.",
            "Give its --preset, or another --workspace.",
        )


def _as_json(config: TrainingConfig) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return plain
