"""What several of the tiny models of `tests.tiny_pipelines` are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transformers
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from tokenizers.processors import TemplateProcessing
from transformers import GemmaTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer

from tests.tiny_z_image import tiny_qwen_tokenizer, tiny_vae_16

if TYPE_CHECKING:
    from pathlib import Path

WIDTH = 16
"""Of text embeddings."""


def flow(**settings: Any) -> FlowMatchEulerDiscreteScheduler:
    """Return the scheduler of most flows."""
    return FlowMatchEulerDiscreteScheduler(**settings)


def vae_4(levels: int = 2) -> AutoencoderKL:
    """Return an autoencoder with 4 channels; some pipelines count on its 4 levels."""
    return tiny_vae_16(
        latent_channels=4,
        shift_factor=None,
        block_out_channels=(8,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
    )


def letters_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that reads any text, and puts a token before it."""
    backend = tiny_qwen_tokenizer().backend_tokenizer
    start = "<|im_start|>"
    backend.post_processor = TemplateProcessing(
        single=f"{start} $0", special_tokens=[(start, backend.token_to_id(start))]
    )
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=end, eos_token=end)


def tiny_qwen3_vl_config(
    vocab_size: int, layers: int = 3, heads: int = 2
) -> transformers.Qwen3VLConfig:
    """Return the config of a language model that sees pictures, too."""
    text = {
        "vocab_size": vocab_size,
        "hidden_size": WIDTH,
        "intermediate_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "max_position_embeddings": 1024,
        "rope_parameters": {
            "rope_type": "default",
            "mrope_section": [2, 1, 1],
            "rope_theta": 5_000_000.0,
        },
    }
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
        "patch_size": 4,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }
    return transformers.Qwen3VLConfig(text_config=text, vision_config=vision)


QWEN_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{{ part['text'] }}{% endfor %}<|im_end|>\n{% endfor %}"
)


def qwen_vl_tokenizer() -> Qwen2Tokenizer:
    """Return a tokenizer with a chat template, and words for pictures."""
    tokenizer = tiny_qwen_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|image_pad|>", "<|video_pad|>"]})
    tokenizer.chat_template = QWEN_CHAT
    return tokenizer


class TextOnlyProcessor(transformers.Qwen3VLProcessor):  # type: ignore[misc]
    """The library's own processor, without what it has for pictures and needs torchvision for."""

    def check_argument_for_proper_class(self, *_: Any) -> None: ...

    def save_pretrained(self, folder: str, **_: Any) -> None:
        self.tokenizer.save_pretrained(folder)


def gemma_tokenizer() -> GemmaTokenizer:
    """Return a tokenizer that reads letters."""
    letters = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "\u2581", *letters]
    return GemmaTokenizer(vocab={word: number for number, word in enumerate(words)})


def text_only_processor(folder: Path) -> TextOnlyProcessor:
    """Return a model's processor as diffusers has it, for text alone."""
    tokenizer = transformers.Qwen2Tokenizer.from_pretrained(folder / "processor")
    return TextOnlyProcessor(tokenizer=tokenizer, chat_template=tokenizer.chat_template)
