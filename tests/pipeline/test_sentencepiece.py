"""A tokenizer that comes as a SentencePiece model is read without SentencePiece."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model, read_prompt
from sheepgen.pipeline.pixart import PixArtModel
from sheepgen.pipeline.sentencepiece import parse_sentencepieces
from sheepgen.request import GenerationRequest
from tests.tiny_pixart import save_tiny_pixart

if TYPE_CHECKING:
    from pathlib import Path

# SentencePiece 0.2.3 made it of "a b sheep ab", with rules for \uff21, to a, and \uff22, to b.
MODEL = zlib.decompress(
    base64.b85decode(
        b"c-lSE2~<o`9LMoDuR6wSp<zfuvTqI9Np`Xe*~yHVlon}bvQyUVdqS4%OZGLQAxriUvXioteT{ryC*AWt=luTnp8L+d"
        b"=l&%J$;LBGtM^h13@0neUb6Po7z;~z*&G^FP>YfzS!KpVseKaDlO?63FsNe-l1`oCtFlP8k~QmEb(UN(9iaABJLjjc"
        b"!elH=TD2zI%_7-JHu5H2ex-78Qn=bhi-JWIQ^mahLy;ybGDN{SK`GgpjfQYPy}>^))Sy>ID+O!LcGOD9$rXj9I8i=n"
        b"WPCY6AVn6T*icju_yi?vA;BJYC<X^OqBu%G1^K=uQ5vOCM!r7E!WsNta6tu>M@6`z65LP)l~D~<Q3KUc3pG&(wV{DK"
        b">Y*;`!vhV`0FBWIP0<9+(F`r%iI(s}YqUaJv_X5cLq~K#CwQX^I-?u9q6fOe2R+dnz2J*J=!d=-fc_YSff$0p@WW7O"
        b"F$}|@g8_PsfIk8efFO)S2!b&Rp%{%Y7!eLLOc;X*jKf$=z<5l;L`=bCM9GhiX_$%`n2uSPiP?z8T+G3I%)>$~z+x=I"
        b"QY^u8EW--KU?pO)8mq7daaf17h{t+tl=}^vu?btT1>3O=JFx@1kbphdjeXdQ1K5v4IEW)Sj6}J`aU92R0!c{5Nt}WO"
        b"DL9R@ID_*zhYLu>C0xW6T*ftA#dW0NCT`#s(s2j3aTgi5k9&BC2Y8G}c#0=@hD>B53oq~-ukaFY@EY&%7CCs2kNAMk"
        b"_=K<cg75f-pZI~__=P{nMIQd<_n%JiaMYMW!ZaoiO}IJOV01SbBmMz1=)$r"
    )
)

IDS = {  # as SentencePiece's own processor gives them, and the end of the text
    "a sheep": [6, 3, 9, 7, 4, 4, 8, 1],
    "\uff21 \uff22 sheep": [6, 3, 5, 3, 9, 7, 4, 4, 8, 1],
    "zzz": [3, 2, 1],
    " b  ab ": [3, 5, 11, 1],
}


def save_with_pieces(folder: Path, content: bytes) -> Path:
    """Write a PixArt model whose tokenizer is a SentencePiece model, and return its folder."""
    save_tiny_pixart(folder)
    (folder / "tokenizer" / "tokenizer.json").unlink()
    (folder / "tokenizer" / "spiece.model").write_bytes(content)
    return folder


def test_a_vocabulary() -> None:
    pieces, rules = parse_sentencepieces(MODEL)
    texts = "<pad> </s> <unk> \u2581 e b \u2581a h p s a \u2581ab"
    assert [text for text, _ in pieces] == texts.split()
    assert [round(score, 4) for _, score in pieces[2:6]] == [0.0, -1.6619, -1.6619, -2.2865]
    assert len(rules) == 1032


def test_a_model_with_it_reads_prompts(tmp_path: Path) -> None:
    folder = save_with_pieces(tmp_path / "pixart", MODEL)
    model = load_model(str(folder), device="cpu", dtype="fp32")
    assert isinstance(model, PixArtModel)
    for text, ids in IDS.items():
        assert model.text_encoder.tokenizer(text).input_ids == ids
    request = GenerationRequest(prompt="a sheep", seed=1, guidance_scale=1.0)
    mask = model.encode([model.spec.resolve(request)]).mask
    assert mask.sum() == len(IDS["a sheep"])
    assert read_prompt(find_model(str(folder)), "A Sheep").tokens == len(IDS["a sheep"])


def varint(number: int) -> bytes:
    digits = [number >> place & 127 for place in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(digit | 128 for digit in digits[:-1]), digits[-1]])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


PIECE = field(1, field(1, b"a") + varint(2 << 3 | 5) + b"\0\0\0\0")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a SentencePiece model of the Unigram kind"),
        (b'{"version": "1.0"}', "tokenizer cannot be loaded"),
        (MODEL[:100], "is truncated"),
        (PIECE + field(2, field(3, 2)), "not a SentencePiece model of the Unigram kind"),
        (PIECE + field(3, field(2, 7)), "not a SentencePiece model of the Unigram kind"),
        (field(1, 7), "not a SentencePiece model"),
        (field(1, field(1, b"a") + field(2, b"1")), "a piece without a text or a score"),
        (field(1, field(1, b"\xff")), "tokenizer cannot be loaded"),
        (PIECE * 300_001, "more than 300,000 pieces"),
        (b"\xff" * 11, "more than ten bytes"),
        (varint(1 << 3 | 3), "not a protocol buffer"),
        (PIECE + field(3, field(2, b"no rules")), "tokenizer cannot be loaded"),
    ],
)
def test_a_damaged_model(tmp_path: Path, content: bytes, message: str) -> None:
    folder = save_with_pieces(tmp_path / "pixart", content)
    with pytest.raises(ModelError, match=message):
        read_prompt(find_model(str(folder)), "a sheep")
