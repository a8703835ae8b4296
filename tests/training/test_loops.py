"""Training loops: they learn, and stopping anywhere and going on changes no weight."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.pipeline.process import velocity
from sheepgen.training import vae as autoencoder
from sheepgen.training.config import AutoencoderConfig, DiffusionConfig
from sheepgen.training.data.backgrounds import COLOURS
from sheepgen.training.data.captions import caption_labels
from sheepgen.training.data.scene import Scene
from sheepgen.training.muon import muon_and_adamw
from sheepgen.training.trainer import load_weights
from sheepgen.training.unet import train_unet as diffusion
from sheepgen.training.unet.attention_supervision import NOTHING, AttentionSupervision
from sheepgen.training.unet.build import build_scheduler, build_unet
from sheepgen.training.unet.dataset import Examples
from tests.training.token_fakes import DRAWINGS, random_text_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

CPU = torch.device("cpu")
STEPS = 6
VAE = AutoencoderConfig(
    width=8, decoder_blocks=(1, 0, 0), latent_channels=3, steps=STEPS,
    batch_size=2, crop=16, preview_width=8, preview_steps=40,
)  # fmt: skip
UNET = DiffusionConfig(
    channels=(8, 16),
    attention_level=1,
    text_width=8,
    head_dim=8,
    norm_groups=4,
    steps=STEPS,
    batch_size=2,
    warmup_steps=2,
)


@pytest.fixture
def pictures() -> NDArray[np.uint8]:
    """Return twelve pictures of one colour each, 32 by 32."""
    colours = np.random.default_rng(0).integers(256, size=(12, 1, 1, 3), dtype=np.uint8)
    return np.broadcast_to(colours, (12, 32, 32, 3)).copy()


@pytest.fixture(autouse=True)
def _save_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (autoencoder, diffusion):
        monkeypatch.setattr(module, "SAVE_EVERY", 1)


def latents() -> Tensor:
    """Return twelve latents that are constant over space."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(12, 3, 1, 1, generator=generator).expand(12, 3, 8, 8).contiguous()


def examples() -> Examples:
    """Return twelve examples of other backdrops, each with its own token as its target."""
    cat = Scene(kind="single", subject="cat", style="noto")
    scenes = [
        replace(cat, background=colour, caption=f"a cat on a {colour} background")
        for colour in COLOURS
    ]
    scenes.append(replace(cat, place="beach", caption="a cat on a beach"))
    encoder = random_text_encoder()
    labels = [caption_labels(scene) for scene in scenes]
    return Examples(
        latents=latents(),
        target_tokens=torch.arange(12, dtype=torch.int16)[:, None, None].expand(12, 8, 8),
        labels=encoder.label_tensors(labels, [DRAWINGS.choose(each, 0) for each in labels]),
        text_encoder=encoder,
    )


def unet_steps(
    network: nn.Module,
    path: Path,
) -> Iterator[Any]:
    """Train a U-Net."""
    return diffusion.train_unet(network, examples(), UNET, path, CPU)


def tiny_unet() -> nn.Module:
    """Return an untrained U-Net for `latents`."""
    width = random_text_encoder().layout.width
    network: nn.Module = build_unet(UNET, latent_channels=3, sample_size=8, token_width=width)
    return network


def loops(pictures: NDArray[np.uint8]) -> dict[str, tuple[Callable[[], Any], Any]]:
    """Return each loop as what makes its network and what trains it."""
    return {
        "vae": (
            lambda: autoencoder.build_autoencoder(VAE),
            lambda vae, path: autoencoder.train_decoder(vae, pictures, VAE, path, CPU),
        ),
        "unet": (tiny_unet, unet_steps),
    }


@pytest.mark.parametrize("name", ["vae", "unet"])
def test_going_on_gives_the_weights_of_an_unbroken_run(
    name: str, pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    build, train = loops(pictures)[name]
    unbroken = build()
    assert len(list(train(unbroken, tmp_path / "unbroken.pt"))) == STEPS
    first = build()
    assert len(list(islice(train(first, tmp_path / "broken.pt"), 2))) == 2
    second = build()
    assert len(list(train(second, tmp_path / "broken.pt"))) == STEPS - 2
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key


def test_a_decoder_trains_with_its_encoder_frozen(
    pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    vae = autoencoder.build_autoencoder(VAE)
    before = {key: value.clone() for key, value in vae.state_dict().items()}
    list(autoencoder.train_decoder(vae, pictures, VAE, tmp_path / "decoder.pt", CPU))
    changed = {
        key.partition(".")[0]
        for key, value in vae.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert changed == {"decoder"}


def test_an_error_counts_as_the_velocity_s_does_but_for_the_least_noise() -> None:
    scheduler = build_scheduler()
    clean, noise, predicted = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    times = torch.tensor([700, 300])
    noisy = scheduler.add_noise(clean, noise, times)
    target = scheduler.get_velocity(clean, noise, times)
    weights = diffusion.loss_weights(times, scheduler)
    for number, time in enumerate(times):
        alpha = scheduler.alphas_cumprod[time].sqrt().item()
        sigma = (1 - scheduler.alphas_cumprod[time]).sqrt().item()
        told = velocity(noisy[number], predicted[number], alpha=alpha, sigma=sigma)
        error = functional.mse_loss(told, target[number])
        own = functional.mse_loss(predicted[number], clean[number])
        torch.testing.assert_close(own * weights[number], error)
    assert diffusion.loss_weights(torch.tensor([0]), scheduler) == diffusion.LARGEST_WEIGHT


def test_the_decoder_learns_colours(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    config = replace(VAE, steps=150, learning_rate=5e-3)
    vae = autoencoder.build_autoencoder(config)
    autoencoder.fit_encoder(vae, pictures)
    before = autoencoder.reconstruction_psnr(vae, pictures, CPU)
    list(autoencoder.train_decoder(vae, pictures, config, tmp_path / "vae.pt", CPU))
    assert autoencoder.reconstruction_psnr(vae, pictures, CPU) > before + 3


def test_latents_are_the_principal_components_of_patches() -> None:
    rng = np.random.default_rng(3)
    patterns = rng.integers(60, size=(3, 4, 4, 3)) * np.array([1.0, 0.6, 0.3])[:, None, None, None]
    patches = np.einsum("nyxk,kabc->nyaxbc", rng.random((8, 8, 8, 3)), patterns)
    pictures = (40 + patches).reshape(8, 32, 32, 3).round().astype(np.uint8)
    vae = autoencoder.build_autoencoder(VAE).eval()
    autoencoder.fit_encoder(vae, pictures)
    latents = torch.cat([*autoencoder.encode_pictures(vae, pictures, CPU)])
    assert latents.shape == (8, 3, 8, 8)
    numbers = latents.movedim(1, -1).flatten(0, 2).double()
    covariance = torch.cov(numbers.T)
    assert numbers.mean(0).abs().max() < 1e-3
    assert covariance.trace().item() == pytest.approx(3, rel=1e-3)
    spreads = covariance.diagonal().sqrt()
    torch.testing.assert_close(covariance, spreads.square().diag(), atol=1e-3, rtol=0)

    pixels = pictures.reshape(8, 8, 4, 8, 4, 3).swapaxes(2, 3).reshape(512, 48) / 255.0
    centred = torch.from_numpy(pixels - pixels.mean(0))
    singular = torch.linalg.svdvals(centred)[:3]
    # Half as far from each other as principal components are, in logarithms.
    torch.testing.assert_close(
        spreads / spreads[0], (singular / singular[0]).sqrt(), atol=1e-3, rtol=0
    )
    # Three patterns are three numbers: from these, all 48 follow but for the rounding to bytes.
    back = torch.linalg.lstsq(numbers, centred)
    left = (centred - numbers @ back.solution).square().mean().sqrt()
    assert left < 0.3 / 255


def test_the_unet_sees_latents_larger_than_the_vae_does(pictures: NDArray[np.uint8]) -> None:
    vae = autoencoder.build_autoencoder(VAE).eval()
    autoencoder.fit_encoder(vae, pictures)
    (seen,) = autoencoder.encode_pictures(vae, pictures, CPU)
    with torch.inference_mode():
        own = vae.encode(autoencoder.to_tensor(pictures)).latents
    torch.testing.assert_close(seen, own * vae.config.scaling_factor)


def test_the_preview_decoder_learns(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    torch.manual_seed(0)
    decoder = PreviewDecoder(latent_channels=3, width=8, upscale=4)
    means = torch.tensor(pictures.mean(axis=(1, 2)) / 127.5 - 1).float()
    flat = means[:, :, None, None].expand(12, 3, 8, 8)
    config = replace(VAE, preview_steps=200, learning_rate=5e-3)
    steps = autoencoder.train_preview_decoder(
        decoder, flat, pictures, config, tmp_path / "preview.pt"
    )
    losses = [report.loss for report in steps if report.loss is not None]
    assert losses[-1] < losses[0] / 2


def test_the_preview_decoder_learns_from_crops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoencoder, "PREVIEW_CROP", 4)
    rng = np.random.default_rng(0)
    latents = torch.from_numpy(rng.uniform(-1, 1, (12, 3, 8, 8)).astype(np.float32))
    # Every latent is the colour of its four by four pixels: only the right crop can be learned.
    pixels = ((latents + 1) * 127.5).byte().permute(0, 2, 3, 1)
    pictures = pixels.repeat_interleave(4, 1).repeat_interleave(4, 2).numpy()
    torch.manual_seed(0)
    decoder = PreviewDecoder(latent_channels=3, width=8, upscale=4)
    config = replace(VAE, preview_steps=300, learning_rate=1e-2)
    steps = autoencoder.train_preview_decoder(
        decoder, latents, pictures, config, tmp_path / "preview.pt"
    )
    losses = [report.loss for report in steps if report.loss is not None]
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) / 2


def test_inner_matrices_are_muons_and_all_else_is_adamws() -> None:
    network = tiny_unet()
    names = {id(weight): name for name, weight in network.named_parameters()}
    groups = {
        kind: [names[id(weight)] for weight in optimizer.param_groups[0]["params"]]
        for kind, optimizer in muon_and_adamw(network, outer=("conv_in", "conv_out")).items()
    }
    assert sorted(groups["muon"] + groups["adamw"]) == sorted(names.values())
    assert {
        "mid_block.resnets.0.time_emb_proj.weight",
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
        "encoder_hid_proj.weight",
    } <= {*groups["muon"]}
    assert {"conv_in.weight", "conv_out.weight", "conv_norm_out.weight"} <= {*groups["adamw"]}


def test_the_unet_learns_and_averages(tmp_path: Path) -> None:
    reports = list(unet_steps(tiny_unet(), tmp_path / "unet.pt"))
    assert all(np.isfinite(report.loss) for report in reports)
    last, average = tiny_unet(), tiny_unet()
    load_weights(last, tmp_path / "unet.pt")
    load_weights(average, tmp_path / "unet.pt", averaged=True)
    trained, averaged = last.state_dict(), average.state_dict()
    assert trained.keys() == averaged.keys()
    assert any(not torch.equal(trained[key], averaged[key]) for key in trained)


def test_attention_is_supervised_with_the_examples_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled: list[Tensor] = []
    targets: list[Tensor] = []
    sample = Examples.sample

    class Watched(AttentionSupervision):
        """Remembers its targets."""

        def set_target(self, target: Tensor) -> None:
            """Remember it."""
            targets.append(target)
            super().set_target(target)

    def watched(scenes: Examples, *how: Any) -> Any:
        batch = sample(scenes, *how)
        sampled.append(batch.target_tokens)
        return batch

    monkeypatch.setattr(diffusion, "AttentionSupervision", Watched)
    monkeypatch.setattr(Examples, "sample", watched)
    list(unet_steps(tiny_unet(), tmp_path / "unet.pt"))
    assert len(sampled) == len(targets) == STEPS
    assert torch.equal(torch.stack(targets), torch.stack(sampled))
    assert len({*torch.stack(sampled).flatten().tolist()}) > 2


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_attention_learns_where_to_look_from_the_lookup_s_loss_alone(
    weight: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without errors of pictures, there is nothing else to learn from.
    monkeypatch.setattr(diffusion, "loss_weights", lambda times, _: torch.zeros(len(times)))
    network, config = tiny_unet(), replace(UNET, steps=1, attention_loss_weight=weight)
    list(diffusion.train_unet(network, examples(), config, tmp_path / "unet.pt", CPU))
    gradients = [own.grad for own in network.parameters() if own.grad is not None]
    taught = any(gradient.abs().max() > 0 for gradient in gradients)
    assert taught == (weight > 0)


def test_emptied_captions_have_no_tokens_and_no_target() -> None:
    scenes = examples()
    batch = scenes.sample(200, 0.25, torch.Generator().manual_seed(3))
    # The last token knows the background, as all do.
    known = scenes.text_encoder(*scenes.labels)[:, -1]
    named = (batch.tokens[:, -1:] - known).abs().sum(-1).argmin(1)
    emptied = batch.tokens.abs().amax((1, 2)) == 0
    assert emptied.float().mean().item() == pytest.approx(0.25, abs=0.08)
    assert torch.equal(batch.latents[~emptied], latents()[named[~emptied]])
    target = batch.target_tokens.flatten(1)
    assert (target[emptied] == NOTHING).all()
    assert torch.equal(target[~emptied], named[~emptied, None].expand(-1, target.shape[1]))


def test_logits_of_times_are_drawn_from_slices_of_a_normal_distribution() -> None:
    times = diffusion.sample_timesteps(500, torch.Generator().manual_seed(0))
    assert times.dtype == torch.int64
    normal = NormalDist(diffusion.TIMES_MEAN, diffusion.TIMES_SPREAD)
    edges = [-math.inf, *(normal.inv_cdf(number / 500) for number in range(1, 500)), math.inf]
    slices = torch.sigmoid(torch.tensor(edges)) * 1000
    assert (times >= slices[:-1].floor()).all()
    assert (times <= slices[1:]).all()
    shares = [(times < 100).float().mean().item(), (times > 800).float().mean().item()]
    assert shares == pytest.approx([0.096, 0.073], abs=0.005)
    assert diffusion.sample_timesteps(1, torch.Generator().manual_seed(0)) < 1000
