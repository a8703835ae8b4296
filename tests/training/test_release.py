"""What is exported is what was trained, and training goes on from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from sheepgen.embedded.family import EmbeddedModel
from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.embedded.prompt_reader import PromptReader
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
    DataConfig,
    DiffusionConfig,
    TextConfig,
    TrainingConfig,
    Workspace,
    check_workspace,
)
from sheepgen.training.export import ModelParts, export_model, write_training_record
from sheepgen.training.history import StageSummary, read_history, summarise
from sheepgen.training.model_card import write_model_card
from sheepgen.training.networks import (
    build_unet_for,
    build_vocabulary_for,
    drawing_table,
    drawings_of,
)
from sheepgen.training.resume_from_export import resume_from_export
from sheepgen.training.samples import encode_prompt, sample_sheet
from sheepgen.training.text_encoder.build_text_encoder import build_text_encoder, measure_table
from sheepgen.training.text_encoder.train_parser import build_parser
from sheepgen.training.trainer import load_weights
from sheepgen.training.vae import build_autoencoder
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = TrainingConfig(
    data=DataConfig(mix="house", cast=("sheep", "motorcycle")),
    text=TextConfig(width=16, layers=1, heads=2),
    autoencoder=AutoencoderConfig(
        width=8, decoder_blocks=(1, 1, 1, 0), latent_channels=3, preview_width=8
    ),
    diffusion=DiffusionConfig(
        channels=(8, 16), attention_level=1, text_width=8, head_dim=8, norm_groups=4
    ),
)
STAGES = ("parser", "vae", "unet")
FACTS: dict[str, Any] = {
    "data_sha256": "0" * 64,
    "vocabulary": {"concepts": 2, "drawings": 1_250, "near": 9, "evoked": 7},
    "steps": dict.fromkeys(STAGES, 10),
    "scenes_seen": 160,
    "losses": dict.fromkeys(STAGES, 0.5),
    "seconds": dict.fromkeys(STAGES, 60.0),
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
    """Return untrained parts."""
    vae = build_autoencoder(CONFIG.autoencoder)
    vocabulary = build_vocabulary_for(CONFIG)
    table = measure_table(drawings_of(CONFIG), Blocks(), vae)
    return ModelParts(
        vocabulary=vocabulary,
        text_encoder=build_text_encoder(vocabulary, table, build_parser(vocabulary, CONFIG.text)),
        unet=build_unet_for(CONFIG),
        vae=vae,
        preview_decoder=PreviewDecoder(latent_channels=3, width=8, upscale=8),
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
    assert isinstance(parts, EmbeddedModel)
    assert parts.unet.dtype == torch.float32
    request = GenerationRequest(prompt="a sheep", seed=1, num_inference_steps=2)
    events = list(stream(parts, request, FrameOptions()))
    frames = [event for event in events if isinstance(event, FrameDecoded)]
    assert [frame.image.size for frame in frames] == [(256, 256)] * 3


def test_the_record_hashes_every_weight_file(folder: Path) -> None:
    record = json.loads((folder / "training.json").read_text("utf-8"))
    assert set(record["sha256"]) == {
        "preview_decoder/diffusion_pytorch_model.safetensors",
        "text_encoder/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }
    for name, digest in record["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert record["config"]["diffusion"]["channels"] == [8, 16]


def test_the_card_is_written_from_the_record(folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "training.json").read_text("utf-8"))
    record["config"]["data"] |= {"cast": [], "mix": "styles"}
    write_model_card(tmp_path, record)
    card = (tmp_path / "MODEL_CARD.md").read_text("utf-8")
    assert "| held-out scenes | 26.5 dB |\n\nHow often a classifier" in card
    assert "| singles | 8 | 75% (41 to 93) | 80% | 2% | 100% |" in card
    assert "(contact_sheet.webp)" in card
    assert "Twitter" in card
    assert "OpenMoji" not in card
    assert "handwritten digits" in card
    assert "9 nouns stand for the nearest concept" in card
    assert "7 words for the concept that emoji link with them" in card
    assert "12.3. It is there to compare versions" in card
    assert "{" not in card
    assert "Judged by a person" not in card
    assert "averaged weights.\n\nOn a small machine" in card


def test_the_card_says_what_a_person_saw_and_how_a_unet_was_tuned(
    folder: Path, tmp_path: Path
) -> None:
    record = json.loads((folder / "training.json").read_text("utf-8"))
    record["by_eye"] = {"as people type": {"images": 36, "right": 20, "partly": 15}}
    record["tuning"] = {"steps": 800, "batch_size": 16}
    write_model_card(tmp_path, record)
    card = (tmp_path / "MODEL_CARD.md").read_text("utf-8")
    assert "| as people type | 36 | 20 | 15 | 1 |\n\nHow often a classifier" in card
    assert "The last 800 steps, of\n   16 scenes each, tuned it" in card


def test_training_goes_on_from_an_export(folder: Path, model: ModelParts, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    resume_from_export(folder, workspace, CONFIG)
    resumed = build_unet_for(CONFIG)
    load_weights(resumed, workspace.checkpoints / "unet.pt")
    unet = {name: value.clone() for name, value in resumed.state_dict().items()}
    load_weights(resumed, workspace.checkpoints / "unet.pt", averaged=True)
    averaged = resumed.state_dict()
    for name, value in model.unet.state_dict().items():
        assert torch.equal(unet[name], value.half().float()), name
        assert torch.equal(averaged[name], unet[name]), name
    assert not (workspace.checkpoints / "parser.pt").exists()
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
    with pytest.raises(UsageError, match=r"another recipe: data\.cast differs"):
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
    assert "2 concepts:\n\n- animal: sheep\n- vehicle: motorcycle\n\nalone" in card
    assert "; 1 riders on\n2 concepts to ride" in card
    assert "| held-out scenes | 26.5 dB |\n\nIt was not evaluated otherwise.\n\n## What" in card
    assert "contact_sheet" not in card
    assert "digit" not in card
    assert "Fréchet" not in card


def test_a_sample_sheet_has_a_picture_per_prompt(model: ModelParts) -> None:
    rng = torch.Generator().manual_seed(0)
    prompts = torch.randn(3, 608, model.text_encoder.hidden_size, generator=rng)
    sheet = sample_sheet(
        model.unet.float(), model.vae, prompts, torch.zeros(prompts[0].shape), steps=2
    )
    assert sheet.size == (8 * 256, 256)


def test_a_prompt_that_is_not_understood_has_the_empty_prompt_s_tokens(model: ModelParts) -> None:
    reader = PromptReader(model.vocabulary, model.text_encoder, drawing_table(model.vocabulary))
    for prompt in ("qwzx", "a sheep"):
        tokens = encode_prompt(reader, prompt)
        assert tokens.shape == (1, 608, model.text_encoder.hidden_size)
    assert encode_prompt(reader, "").abs().sum() == 0
