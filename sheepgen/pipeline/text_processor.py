"""A processor for text alone, where transformers' own would need torchvision for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transformers import BatchEncoding, PreTrainedTokenizerBase

__all__ = ["TextProcessor"]


@dataclass(frozen=True)
class TextProcessor:
    """What pipelines of diffusers take for a processor, as long as no picture is in the prompt.

    Args:
        tokenizer: With a chat template.
    """

    tokenizer: PreTrainedTokenizerBase

    def __call__(self, text: Sequence[str], **settings: Any) -> BatchEncoding:  # noqa: ANN401
        """Return the tokens of texts."""
        return self.tokenizer([*text], **settings)

    def apply_chat_template(
        self,
        conversation: Sequence[Mapping[str, Any]],
        **settings: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - as many forms as there are settings
        """Return the tokens of a conversation, as the only one of a batch, or its text."""
        rendered = self.tokenizer.apply_chat_template([[*conversation]], **settings)
        return rendered if settings.get("tokenize", True) else rendered[0]
