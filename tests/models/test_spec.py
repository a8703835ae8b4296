"""A model says what range it was made for, and requests outside of it are warned about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.errors import UsageError
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest, ModelReference
from tests.tiny_xl import save_tiny_xl

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec


@pytest.fixture(scope="module")
def embedded() -> ModelSpec:
    return find_model(EMBEDDED_MODEL)


def warnings(spec: ModelSpec, *changes: dict[str, Any]) -> tuple[str, ...]:
    sheep: dict[str, Any] = {"prompt": "a sheep", "seed": 1}
    requests = [GenerationRequest(**sheep | fields) for fields in changes]
    resolved = [replace(spec.resolve(request), model=spec.name) for request in requests]
    return outside_warnings(resolved, {ModelReference(spec.name): spec})


def test_a_models_own_settings_are_within_its_range(embedded: ModelSpec) -> None:
    assert warnings(embedded, {}) == ()
    for model in KNOWN_MODELS.values():
        steps, guidance = model.num_inference_steps, model.guidance_scale
        spec = replace(embedded, name=model.name, made_for=replace(model.made_for, side=(256, 256)))
        asked = {
            "num_inference_steps": steps,
            "guidance_scale": guidance,
            "scheduler": "ddim",  # the embedded model's own takes at most 50 steps
        }
        assert (
            warnings(replace(spec, made_for=replace(model.made_for, side=(256, 256))), asked) == ()
        )


def test_what_only_others_read_is_said_once(embedded: ModelSpec) -> None:
    (warning,) = warnings(embedded, {"guidance_end": 0.5, "guidance_scale": 1.0})
    assert warning == "Warning: guidance end has no effect with sheepgen; it is for Lumina 2."


@pytest.mark.parametrize("guidance", [0, 0.5, 1, 3])
def test_guidance_that_is_off_is_not_too_low(embedded: ModelSpec, guidance: float) -> None:
    assert warnings(embedded, {"guidance_scale": guidance}) == ()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"guidance_scale": 7.5}, "guidance 1 to 3, not 7.5"),
        ({"num_inference_steps": 2}, "6 steps or more, not 2"),
        ({"width": 512, "height": 512}, "sides of 224 to 256 pixels, not 512x512"),
        ({"height": 64}, "sides of 224 to 256 pixels, not 256x64"),
        ({"scheduler": "pndm"}, "15 steps or more with pndm, not 8"),
        ({"scheduler": "heun", "num_inference_steps": 7}, "8 steps or more with heun, not 7"),
        ({"scheduler": "heun", "num_inference_steps": 3}, "6 steps or more, not 3"),
    ],
)
def test_what_is_outside_is_said_with_what_the_range_is(
    embedded: ModelSpec, fields: dict[str, Any], said: str
) -> None:
    (warning,) = warnings(embedded, fields)
    assert warning == f"Warning: sheepgen was made for {said}. Images may be poor."


def test_many_requests_have_one_warning(embedded: ModelSpec) -> None:
    scales = [{"guidance_scale": scale, "width": 64} for scale in (1, 5, 7, 5)]
    (warning,) = warnings(embedded, *scales)
    assert "not 64x256; guidance 1 to 3, not 5 or 7." in warning
    (warning,) = warnings(embedded, *({"guidance_scale": scale} for scale in range(4, 100)))
    assert "not 4, 5, 6, 7, 8 or 91 more." in warning


def test_nobody_is_warned_where_no_range_is_known(embedded: ModelSpec) -> None:
    unknown = replace(embedded, made_for=None)
    assert warnings(unknown, {"guidance_scale": 50, "num_inference_steps": 1}) == ()


def test_a_setting_that_the_scheduler_does_not_use_is_said(embedded: ModelSpec) -> None:
    (warning,) = warnings(embedded, {"scheduler": "euler", "eta": 0.5})
    assert warning == "Warning: eta has no effect with euler; it is for ddim and tcd."
    (warning,) = warnings(embedded, {"prior_steps": 5})
    families = (
        "Kandinsky 2.2, Kandinsky 2.2 decoder, Stable Cascade, Wuerstchen, Stable Cascade decoder "
        "and Wuerstchen decoder"
    )
    assert warning == (
        f"Warning: prior steps have no effect with sheepgen; they are for {families}."
    )
    assert warnings(embedded, {"scheduler": "ddim", "eta": 0.5}, {"scheduler": "euler"}) == ()


def test_a_setting_that_needs_guidance_is_said_if_it_is_off(embedded: ModelSpec) -> None:
    fields = {"negative_prompt": "blur", "guidance_rescale": 0.5}
    for guidance in (0, 1):
        assert warnings(embedded, {**fields, "guidance_scale": guidance}) == (
            "Warning: negative prompt has no effect with guidance 1 or less.",
            "Warning: guidance rescale has no effect with guidance 1 or less.",
        )
    assert warnings(embedded, {**fields, "guidance_scale": 1.01}) == ()
    many = [{"negative_prompt": word, "guidance_scale": 1} for word in ("blur", "", "noise")]
    assert len(warnings(embedded, *many)) == 1


def test_a_setting_that_a_distilled_model_never_uses_is_said(embedded: ModelSpec) -> None:
    distilled = replace(embedded, name="lcm", guidance="embedded", made_for=None)
    for guidance in (1, 8):
        (warning,) = warnings(distilled, {"negative_prompt": "x", "guidance_scale": guidance})
        assert warning == (
            "Warning: negative prompt has no effect with lcm; "
            "it is for models that run with and without the prompt."
        )
    assert warnings(distilled, {"guidance_scale": 8}) == ()


def test_a_variation_seed_without_a_strength_is_said_unless_others_have_one(
    embedded: ModelSpec,
) -> None:
    (warning,) = warnings(embedded, {"variation_seed": 3})
    assert warning == "Warning: variation seed has no effect without a variation strength."
    strengths = [{"variation_seed": 3, "variation_strength": strength} for strength in (0.0, 0.5)]
    assert warnings(embedded, *strengths) == ()


MARKED = {"prompt": "a ((red)) sheep", "negative_prompt": "(mud:1.3)"}


def test_marks_that_are_read_as_words_are_said(tiny_folder: Path, embedded: ModelSpec) -> None:
    spec = find_model(str(tiny_folder))
    read = "which is read literally; --prompt-syntax a1111 reads it as AUTOMATIC1111 does."
    assert warnings(spec, MARKED, MARKED) == (
        f"Warning: the prompt contains ((word)), {read}",
        f"Warning: the negative prompt contains (word:1.3), {read}",
    )
    assert warnings(spec, {**MARKED, "prompt_syntax": "a1111"}) == ()
    assert warnings(spec, {"prompt": "a sheep (animal)"}) == ()
    assert warnings(embedded, MARKED) == ()


def test_a_syntax_that_a_model_does_not_read_is_said(embedded: ModelSpec) -> None:
    fields = {"prompt_syntax": "a1111", "long_prompt": "chunk", "clip_skip": 2}
    families = "Stable Diffusion XL and Stable Diffusion 1.x and 2.x"
    assert warnings(embedded, fields) == tuple(
        f"Warning: {label} has no effect with sheepgen; it is for {families}."
        for label in ("prompt syntax", "long prompt", "clip skip")
    )


def test_clip_skip_counts_the_layers_there_are(tiny_folder: Path, tmp_path: Path) -> None:
    spec = find_model(str(tiny_folder))
    assert warnings(spec, {"clip_skip": 2}) == ()
    with pytest.raises(UsageError, match=r"clip skip must be between 1 and 2 .*, got 3\."):
        warnings(spec, {"clip_skip": 3})
    xl = find_model(str(save_tiny_xl(tmp_path / "xl", layers=3)))
    (warning,) = warnings(xl, {"clip_skip": 2})
    assert warning.endswith("; it reads that layer anyway.")
    assert warnings(xl, {"clip_skip": 3}) == ()
    with pytest.raises(UsageError, match="between 1 and 3 for this model, got 4"):
        warnings(xl, {"clip_skip": 4})
