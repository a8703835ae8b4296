"""What the embedded model's family adds to Stable Diffusion's layout."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.embedded.clip_family import ClipEmbeddedModel
from sheepgen.request import GenerationRequest
from tests.tiny import MAX_TOKENS

if TYPE_CHECKING:
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

PROMPT_TOKENS = 5


@pytest.fixture
def model(tiny_parts: StableDiffusionModel) -> ClipEmbeddedModel:
    """Return the tiny model as one whose text encoder keeps all but five tokens for itself."""
    components = {
        field.name: getattr(tiny_parts, field.name) for field in fields(tiny_parts) if field.init
    }
    spec = replace(tiny_parts.spec, max_tokens=PROMPT_TOKENS)
    return ClipEmbeddedModel(**{**components, "spec": spec})


def hidden_states(model: StableDiffusionModel, prompt: str) -> torch.Tensor:
    request = GenerationRequest(prompt=prompt, seed=1, guidance_scale=1.0)
    return model.encode([model.spec.resolve(request)]).hidden_states


def test_the_text_encoders_own_tokens_are_not_the_prompts(
    tiny_parts: StableDiffusionModel, model: ClipEmbeddedModel
) -> None:
    longest, longer = "red sheep of", "red sheep of red red"
    assert torch.equal(hidden_states(model, longest), hidden_states(model, longer))
    # Padded as far as it would be anyway.
    assert torch.equal(hidden_states(model, longest), hidden_states(tiny_parts, longest))


def test_labels_end_with_the_text_encoders_own_tokens(model: ClipEmbeddedModel) -> None:
    labels = model.token_labels("red")
    assert [label.position for label in labels] == list(range(MAX_TOKENS))
    assert [label.kind for label in labels] == [
        *["special", "word", "special", "padding", "padding"],
        *["memory"] * (MAX_TOKENS - PROMPT_TOKENS),
    ]
