"""Models of real size have the sizes that their makers state; small ones load everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image, ImageChops, ImageStat

from sheepgen import GenerationRequest, generate, load_model
from sheepgen.bench.geometries import GEOMETRIES, Geometry
from sheepgen.bench.make_model import build_network, save_geometry
from sheepgen.bench.make_scenes import save_scenes
from sheepgen.bench.peers import diffusers_default, diffusers_embedded, diffusers_tuned
from sheepgen.bench.roofline import count_step_flop
from sheepgen.bench.works import PROMPT, WORKS
from sheepgen.models.resolve import find_model
from sheepgen.request import EMBEDDED_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.bench.work import ModelName

TINY = Geometry(
    pipeline="StableDiffusionPipeline",
    networks={
        "unet": (
            "UNet2DConditionModel",
            {
                "attention_head_dim": 2,
                "block_out_channels": (8, 16),
                "cross_attention_dim": 8,
                "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
                "layers_per_block": 1,
                "norm_num_groups": 4,
                "sample_size": 8,
                "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            },
        ),
        "text_encoder": (
            "CLIPTextModel",
            {
                "hidden_size": 8,
                "intermediate_size": 16,
                "num_attention_heads": 2,
                "num_hidden_layers": 1,
                "vocab_size": 49408,
            },
        ),
        "vae": (
            "AutoencoderKL",
            {
                "block_out_channels": (4, 8),
                "down_block_types": ("DownEncoderBlock2D",) * 2,
                "norm_num_groups": 4,
                "sample_size": 16,
                "up_block_types": ("UpDecoderBlock2D",) * 2,
            },
        ),
    },
    scheduler=GEOMETRIES["sd15"].scheduler,
    tokenizers={"tokenizer": "clip"},
    side=16,
    dtype="float32",
    disk=0,
)


@pytest.mark.parametrize(
    ("name", "billions", "teraflop"), [("sd15", 0.860, 1.607), ("sdxl", 2.567, 13.52)]
)
def test_models_are_of_real_size(name: ModelName, billions: float, teraflop: float) -> None:
    geometry = GEOMETRIES[name]
    with torch.device("meta"):
        denoiser = build_network(*next(iter(geometry.networks.values())))
    count = sum(weight.numel() for weight in denoiser.parameters())
    assert count / 1e9 == pytest.approx(billions, abs=0.001)
    assert count_step_flop(geometry) / 1e12 == pytest.approx(teraflop, rel=0.001)


def test_every_peer_is_there_and_every_ratio_has_one() -> None:
    for work in WORKS.values():
        names = {each.name for each in work.contenders}
        assert len(names) == len(work.contenders)
        assert {each.against for each in work.contenders} - {""} <= names
        assert not work.reference or work.reference in names


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "tiny"
    save_geometry(TINY, folder)
    return folder


def pixels(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def test_random_weights_are_the_same_again(tiny: Path, tmp_path: Path) -> None:
    save_geometry(TINY, tmp_path / "again")
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert (tiny / weights).read_bytes() == (tmp_path / "again" / weights).read_bytes()


def test_scripts_draw_what_sheepgen_draws(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = GenerationRequest(
        prompt=PROMPT, seed=1, num_inference_steps=2, width=16, height=16, model=str(tiny)
    )
    ours = generate(load_model(str(tiny), dtype="fp32"), request)
    half = generate(load_model(str(tiny), dtype="bf16"), request)
    for script, expected in ((diffusers_default, ours), (diffusers_tuned, half)):
        script.main(str(tiny), PROMPT, str(tmp_path / "image.png"), "2")
        difference = ImageChops.difference(pixels(tmp_path / "image.png"), expected.convert("RGB"))
        most = max(high for _, high in ImageStat.Stat(difference).extrema)
        assert most <= (0 if script is diffusers_default else 16)
    assert capsys.readouterr().err.count('"event": "step"') == 4


def test_the_installed_models_script_draws_its_pixels(tmp_path: Path) -> None:
    save_scenes(tmp_path / "scenes.json", PROMPT, 2)
    folder = find_model(EMBEDDED_MODEL).checkpoint.folder
    diffusers_embedded.main(folder, tmp_path / "scenes.json", tmp_path / "2.png", "2")
    expected: Any = generate(
        load_model(EMBEDDED_MODEL, device="cpu"), GenerationRequest(prompt=PROMPT, seed=2)
    )
    difference = ImageChops.difference(pixels(tmp_path / "2.png"), expected.convert("RGB"))
    assert difference.getbbox() is None


def test_diffusers_finds_the_model_whole(tiny: Path) -> None:
    pipe = DiffusionPipeline.from_pretrained(tiny)
    assert pipe.tokenizer.model_max_length == 77
