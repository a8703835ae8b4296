"""What takes a second to build, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sheepgen.embedded.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    """Return the vocabulary of all concepts and words."""
    from sheepgen.training.text_encoder.build_vocabulary import build_vocabulary

    return build_vocabulary()
