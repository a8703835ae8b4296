"""What is exported is what was trained, and training goes on from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from sheepgen.embedded.clip_family import ClipEmbeddedModel
from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.errors import OutputError, UsageError
from sheepgen.events import FrameDecoded
from sheepgen.models.resolve import find_model
from sheepgen.options import FrameOptions
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from sheepgen.training.config import (
    PRESETS,
    AutoencoderConfig,
    DiffusionConfig,
    TrainingConfig,
    Workspace,
    check_workspace,
)
from sheepgen.training.export import ModelParts, export_model, write_training_record
from sheepgen.training.history import StageSummary, read_history, summarise
from sheepgen.training.model_card import write_model_card
from sheepgen.training.resume_from_export import resume_from_export
from sheepgen.training.samples import sample_sheet
from sheepgen.training.text_encoder.appearance import look_width
from sheepgen.training.text_encoder.compile import unfold
from sheepgen.training.text_encoder.conditioning_targets import Layout
from sheepgen.training.text_encoder.tokenizer import build_tokenizer
from sheepgen.training.text_encoder.train_parser import build_trunk
from sheepgen.training.trainer import load_weights
from sheepgen.training.unet.build import build_unet, widen
from sheepgen.training.vae import build_autoencoder
from tests.training import text_fakes
from tests.training.text_fakes import random_states

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = TrainingConfig(
    text=text_fakes.CONFIG,
    autoencoder=AutoencoderConfig(
        width=8, decoder_blocks=(1, 1, 0), latent_channels=3, preview_width=8
    ),
    diffusion=DiffusionConfig(
        channels=(8, 16), attention_level=1, text_width=8, head_dim=8, norm_groups=4
    ),
)
PHASES = ("text", "vae", "unet")
FACTS: dict[str, Any] = {
    "data_sha256": "0" * 64,
    "lexicon": 9,
    "evoked": 7,
    "steps": dict.fromkeys(PHASES, 10),
    "scenes_seen": 160,
    "losses": dict.fromkeys(PHASES, 0.5),
    "seconds": dict.fromkeys(PHASES, 60.0),
    "hardware": "a small machine",
    "parameters": {"text_encoder": 1_000_000, "unet": 2_000_000, "vae": 300_000},
    "psnr_db": {"held-out scenes": 26.5},
    "sampling": {"num_inference_steps": 3, "guidance_scale": 4.0, "scheduler": "ddim"},
    "scores": [
        {
            "group": "singles",
            "images": 8,
            "exact_match": 75.0,
            "exact_match_interval": (40.9, 92.9),
            "recall": 80.0,
            "false_positive_rate": 2.0,
            "upper_bound": 100.0,
        }
    ],
    "frechet_distance": 12.34,
}


@pytest.fixture(scope="module")
def model() -> ModelParts:
    """Return small untrained networks."""
    tokenizer = build_tokenizer(["a sheep", "a cat"], ["motorcycle"], CONFIG.text)
    trunk = build_trunk(tokenizer, text_fakes.NAMES, None, CONFIG.text)
    states = random_states(look_width(CONFIG.autoencoder.latent_channels))
    text_encoder = unfold(trunk, states, tokenizer)
    unet = build_unet(
        CONFIG.diffusion, latent_channels=3, sample_size=8, state_width=states.layout.width
    )
    return ModelParts(
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        unet=widen(unet, text_encoder.config.hidden_size),
        vae=build_autoencoder(CONFIG.autoencoder),
        preview_decoder=PreviewDecoder(latent_channels=3, width=8, upscale=4),
    )


@pytest.fixture(scope="module")
def folder(model: ModelParts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return them exported, with record and card."""
    path = tmp_path_factory.mktemp("release") / "model"
    export_model(model, path)
    write_model_card(path, write_training_record(path, CONFIG, FACTS))
    return path


def test_the_export_is_found_loaded_and_draws(folder: Path) -> None:
    parts = load_model(find_model(str(folder)), device="cpu", dtype="fp32")
    assert isinstance(parts, ClipEmbeddedModel)
    assert parts.unet.dtype == torch.float32
    request = GenerationRequest(prompt="a sheep", seed=1, num_inference_steps=2)
    events = list(stream(parts, request, FrameOptions()))
    frames = [event for event in events if isinstance(event, FrameDecoded)]
    assert [frame.image.size for frame in frames] == [(32, 32)] * 3


def test_the_record_hashes_every_weight_file(folder: Path) -> None:
    record = json.loads((folder / "training.json").read_text("utf-8"))
    assert set(record["sha256"]) == {
        "preview_decoder/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }
    for name, digest in record["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert record["config"]["diffusion"]["channels"] == [8, 16]


def test_the_card_is_written_from_the_record(folder: Path) -> None:
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    assert "| held-out scenes | 26.5 dB |" in card
    assert "| singles | 8 | 75% (41 to 93) | 80% | 2% | 100% |" in card
    assert "(contact_sheet.webp)" in card
    assert "Twitter" in card
    assert "OpenMoji" not in card
    assert "handwritten digits" in card
    assert "9 nouns that no caption holds." in card
    assert "emoji link with one of 7 words" in card
    assert "12.3. It is there to compare versions" in card
    assert "{" not in card


def test_training_goes_on_from_an_export(folder: Path, model: ModelParts, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    resume_from_export(folder, workspace, CONFIG)
    seen = Layout(look_width(CONFIG.autoencoder.latent_channels)).width
    narrow = UNet2DConditionModel.from_config({**model.unet.config, "encoder_hid_dim": seen})
    load_weights(narrow, workspace.checkpoints / "unet.pt")
    unet = {name: value.clone() for name, value in narrow.state_dict().items()}
    load_weights(narrow, workspace.checkpoints / "unet.pt", averaged=True)
    averaged = narrow.state_dict()
    for name, value in model.unet.state_dict().items():
        kept = value[:, :seen] if name == "encoder_hid_proj.weight" else value
        assert torch.equal(unet[name], kept.half().float()), name
        assert torch.equal(averaged[name], unet[name]), name
    assert not (workspace.checkpoints / "text.pt").exists()
    trained = summarise(read_history(workspace.history))
    assert trained["unet"] == StageSummary(steps=10, loss=0.5, seconds=60.0)
    with pytest.raises(OutputError, match="holds checkpoints already"):
        resume_from_export(folder, workspace, CONFIG)


def test_a_model_of_another_recipe_is_refused(folder: Path, tmp_path: Path) -> None:
    other = replace(CONFIG, autoencoder=replace(CONFIG.autoencoder, width=16))
    with pytest.raises(UsageError, match=r"another recipe: autoencoder\.width differs"):
        resume_from_export(folder, Workspace(tmp_path), other)
    with pytest.raises(UsageError, match=r"no training\.json"):
        resume_from_export(tmp_path, Workspace(tmp_path), other)
    assert not [*tmp_path.iterdir()]


def test_a_workspace_belongs_to_one_recipe(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    check_workspace(workspace, CONFIG)
    check_workspace(workspace, replace(CONFIG, diffusion=replace(CONFIG.diffusion, steps=7)))
    with pytest.raises(UsageError, match=r"another recipe: data\.mix differs"):
        check_workspace(workspace, PRESETS["small"])
    old = Workspace(tmp_path / "old")
    old.checkpoints.mkdir(parents=True)
    with pytest.raises(UsageError, match="another recipe"):
        check_workspace(old, CONFIG)


def test_a_small_cast_is_not_measured(folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "training.json").read_text("utf-8"))
    record["config"]["data"] |= {"cast": ["sheep", "motorcycle"], "mix": "house"}
    write_model_card(tmp_path, {**record, "scores": []})
    card = (tmp_path / "MODEL_CARD.md").read_text("utf-8")
    assert "2 things:\n\n- animal: sheep\n- vehicle: motorcycle\n" in card
    assert "; 1 riders on\n2 things to ride" in card
    assert "contact_sheet" not in card
    assert "digit" not in card
    assert "Fréchet" not in card


def test_a_sample_sheet_has_a_picture_a_prompt(model: ModelParts) -> None:
    unet = model.unet.float()
    width = unet.config.encoder_hid_dim
    states = torch.randn(3, 8, width, generator=torch.Generator().manual_seed(0))
    sheet = sample_sheet(unet, model.vae, states, torch.zeros(8, width), steps=2)
    assert sheet.size == (8 * 32, 32)
