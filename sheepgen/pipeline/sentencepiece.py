"""Read the vocabulary of a SentencePiece model, as T5's first tokenizers come.

Transformers reads such a file only with two more packages. It is a protocol buffer
(https://protobuf.dev/programming-guides/encoding/) of which a few fields are needed, by their
numbers in SentencePiece's ``sentencepiece_model.proto``. It may come from anybody.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SentencePieces", "parse_sentencepieces"]

_MOST_PIECES = 300_000

_UNIGRAM = 1
"""The kind of model that splits a text where the pieces are most probable together."""


class SentencePieces(NamedTuple):
    """A vocabulary.

    Args:
        pieces: Each with the logarithm of its probability, in the order of their ids.
        rules: Which characters are replaced before a text is split, compiled; empty for none.
    """

    pieces: tuple[tuple[str, float], ...]
    rules: bytes


def parse_sentencepieces(content: bytes) -> SentencePieces:
    """Parse a model.

    Args:
        content: Of a ``.model`` file.

    Raises:
        ValueError: If it is damaged, or not of the Unigram kind.
    """
    pieces: list[tuple[str, float]] = []
    kind: int | bytes = _UNIGRAM
    rules: int | bytes = b""
    for field, value in _fields(content):
        if field == 1:  # pieces
            pieces.append(_piece(value))
        elif field == 2:  # trainer_spec
            kind = _message(value).get(3, kind)  # model_type
        elif field == 3:  # normalizer_spec
            rules = _message(value).get(2, rules)  # precompiled_charsmap
        if len(pieces) > _MOST_PIECES:
            raise ValueError(f"it has more than {_MOST_PIECES:,} pieces.")
    if not pieces or kind != _UNIGRAM or not isinstance(rules, bytes):
        raise ValueError("it is not a SentencePiece model of the Unigram kind.")
    return SentencePieces(tuple(pieces), rules)


def _piece(value: int | bytes) -> tuple[str, float]:
    piece = _message(value)
    text, score = piece.get(1), piece.get(2, bytes(4))
    if not isinstance(text, bytes) or not isinstance(score, bytes) or len(score) != 4:
        raise ValueError("it has a piece without a text or a score.")
    return text.decode(), struct.unpack("<f", score)[0]


def _message(value: int | bytes) -> dict[int, int | bytes]:
    """Return the fields of a message inside the model; of one that comes twice the last."""
    if not isinstance(value, bytes):
        raise ValueError("it is not a SentencePiece model.")
    return dict(_fields(value))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the numbers and the values of a message's fields."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                value, at = _varint(message, at)
                yield key >> 3, value
                continue
            case 1:
                size = 8
            case 2:
                size, at = _varint(message, at)
            case 5:
                size = 4
            case _:
                raise ValueError("it is not a protocol buffer.")
        if at + size > len(message):
            raise ValueError("it is truncated.")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return a number, seven bits a byte and the lowest first, and where what follows begins."""
    number = 0
    for place in range(10):
        if at + place >= len(message):
            raise ValueError("it is truncated.")
        byte = message[at + place]
        number |= (byte & 127) << (7 * place)
        if byte < 128:
            return number, at + place + 1
    raise ValueError("it has a number of more than ten bytes.")
