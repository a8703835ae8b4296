from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.checkpoint import read_checkpoint
from sheepgen.models.families import FAMILIES
from tests.tiny import edit_json

if TYPE_CHECKING:
    from pathlib import Path


def refusal(folder: Path, component: str, **changes: Any) -> ModelError:
    """Return the error that changed settings lead to."""
    edit_json(folder / component / FAMILIES[-1].components[component].config, **changes)
    with pytest.raises(ModelError) as error:
        read_checkpoint(folder)
    return error.value


@pytest.mark.parametrize(
    ("component", "setting", "value", "meaning"),
    [
        ("unet", "addition_embed_type", "text_time", "extra conditions"),
        ("unet", "class_embed_type", "timestep", "class labels"),
        ("unet", "num_class_embeds", 10**9, "class labels"),
        ("unet", "encoder_hid_dim_type", "image_proj", "extra projection"),
        ("vae", "quantization_config", {"quant_method": "x"}, "quantised"),
        ("text_encoder", "_attn_implementation", "org/kernel", "attention code"),
        ("text_encoder", "_attn_implementation_internal", "org/kernel", "attention code"),
        ("text_encoder", "attn_implementation", "org/kernel", "attention code"),
        ("scheduler", "use_flow_sigmas", True, "flow matching"),
        ("tokenizer", "init_inputs", ["/dev/zero"], "vocabulary from elsewhere"),
        ("tokenizer", "vocab", "/dev/zero", "vocabulary from elsewhere"),
        ("tokenizer", "merges", "/dev/zero", "vocabulary from elsewhere"),
    ],
)
def test_what_does_not_run_here_is_refused_by_name(
    model_copy: Path, component: str, setting: str, value: object, meaning: str
) -> None:
    error = refusal(model_copy, component, **{setting: value})

    assert meaning in error.message
    assert setting in error.hint


@pytest.mark.parametrize(
    ("component", "setting", "value"),
    [
        ("scheduler", "beta_start", "x"),
        ("scheduler", "num_train_timesteps", 10**12),
        ("scheduler", "shift", 1e308),
        ("scheduler", "shift", "big"),
        ("scheduler", "shift", 0),
        ("scheduler", "flow_shift", -1.0),
        ("scheduler", "predictor_order", 10**9),
        ("text_encoder", "hidden_size", 8.0),
        ("text_encoder", "num_hidden_layers", 10**6),
        ("text_encoder", "vocab_size", -1),
        ("unet", "block_out_channels", [8] * 9),
        ("unet", "downsample_padding", 10**6),
        ("unet", "encoder_hid_dim", 200_000),
        ("unet", "block_out_channels", [[8], 16]),
        ("unet", "block_out_channels", []),
        ("unet", "in_channels", [4]),
        ("unet", "layers_per_block", 10**6),
        ("unet", "layers_per_block", True),
        ("unet", "norm_num_groups", 0),
        ("unet", "sample_size", "16"),
        ("unet", "sample_size", [16]),
        ("unet", "reverse_transformer_layers_per_block", [10**6, 1]),
        ("unet", "time_cond_proj_dim", 2),
        ("unet", "time_cond_proj_dim", 10**9),
        ("unet", "transformer_layers_per_block", [[[1]]]),
        ("vae", "block_out_channels", 8),
        ("vae", "decoder_block_out_channels", [8] * 3),
        ("vae", "out_channels", 4),
        ("vae", "upsampling_scaling_factor", 1000),
        ("vae", "latent_channels", 10**6),
    ],
)
def test_impossible_values_are_refused(
    model_copy: Path, component: str, setting: str, value: object
) -> None:
    error = refusal(model_copy, component, **{setting: value})

    assert error.message.startswith(f"{component}/")
    assert f"for {setting}." in error.message


@pytest.mark.parametrize("component", ["text_encoder", "unet", "vae"])
@pytest.mark.parametrize("setting", ["text_config", "text_config_dict", "anything"])
def test_a_config_inside_a_config_is_refused(
    model_copy: Path, component: str, setting: str
) -> None:
    error = refusal(model_copy, component, **{setting: {"num_hidden_layers": 100_000}})

    assert "config inside its config" in error.message
    assert f"{setting} in {component}/config.json" in error.hint


@pytest.mark.parametrize(
    ("component", "unset"),
    [
        ("scheduler", {"use_flow_sigmas": False}),
        ("text_encoder", {"id2label": {"0": "LABEL_0"}, "task_specific_params": {}}),
        ("tokenizer", {"init_inputs": [], "vocab": None}),
        ("unet", {"num_class_embeds": None}),
    ],
)
def test_what_is_not_asked_for_is_not_refused(
    model_copy: Path, component: str, unset: dict[str, object]
) -> None:
    edit_json(model_copy / component / FAMILIES[-1].components[component].config, **unset)

    assert read_checkpoint(model_copy).configs[component].items() >= unset.items()


@pytest.mark.parametrize(
    ("component", "setting"),
    [("unet", "sample_size"), ("vae", "latent_channels"), ("text_encoder", "hidden_size")],
)
def test_a_missing_setting_is_named(model_copy: Path, component: str, setting: str) -> None:
    error = refusal(model_copy, component, **{setting: None})

    assert f"{component}/config.json of " in error.message
    assert f"does not set {setting}." in error.message


def test_settings_may_differ_from_block_to_block(model_copy: Path) -> None:
    edit_json(
        model_copy / "unet" / "config.json",
        transformer_layers_per_block=[1, [1, 2]],
        cross_attention_dim=[8, 8],
    )

    assert read_checkpoint(model_copy).configs["unet"]["cross_attention_dim"] == [8, 8]


def test_a_unet_for_editing_is_refused(model_copy: Path) -> None:
    error = refusal(model_copy, "unet", in_channels=8)

    assert "8 input and 4 output channels" in error.message
    assert "editing" in error.hint


def test_the_prompt_may_be_projected(model_copy: Path) -> None:
    hidden = read_checkpoint(model_copy).configs["text_encoder"]["hidden_size"]
    projected = {"encoder_hid_dim_type": "text_proj", "cross_attention_dim": 5}
    edit_json(model_copy / "unet" / "config.json", encoder_hid_dim=hidden, **projected)
    assert read_checkpoint(model_copy).configs["unet"]["encoder_hid_dim"] == hidden

    error = refusal(model_copy, "unet", encoder_hid_dim=hidden + 1)

    assert f"width {hidden + 1}" in error.message


def test_parts_of_different_models_are_refused(model_copy: Path) -> None:
    error = refusal(model_copy, "unet", cross_attention_dim=768)

    assert "width 768" in error.message


def test_config_text_cannot_steer_the_terminal(model_copy: Path) -> None:
    error = refusal(model_copy, "unet", sample_size="\x1b]0;owned\x07\u202e")

    assert "\x1b" not in error.message
    assert "\u202e" not in error.message
