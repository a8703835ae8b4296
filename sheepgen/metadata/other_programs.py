"""Which program made an image, by the texts that it carries, and what they say.

Each program is looked for by what only it writes. AUTOMATIC1111's parameters come last: others
write them, too.
"""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError
from sheepgen.metadata.a1111_reader import looks_like_parameters, read_parameters
from sheepgen.metadata.comfyui import read_graph
from sheepgen.metadata.exif_texts import COMMENT, MODEL, SOFTWARE
from sheepgen.metadata.image_texts import XMP
from sheepgen.metadata.json_parameters import (
    DRAW_THINGS,
    FOOOCUS,
    INVOKEAI,
    NOVELAI,
    SWARMUI,
    read_json,
    read_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sheepgen.metadata.image_texts import ImageTexts
    from sheepgen.metadata.parsed_parameters import ParsedParameters

    _Reader = Callable[[Mapping[str, str]], ParsedParameters | None]

__all__ = ["find_parameters"]

_XMP_COMMENT = re.compile(
    r"<exif:UserComment>\s*+(?:<rdf:Alt>\s*+<rdf:li[^>]*+>)?+([^<]*+)<", re.DOTALL
)


def find_parameters(found: ImageTexts) -> ParsedParameters | None:
    """Return what the texts of an image ask for, or None if they are of no program known here.

    Raises:
        OutputError: If they are, and cannot be read.
    """
    for read in _READERS:
        if (recipe := read(found.texts)) is not None:
            return recipe
    if too_large := found.too_large & {"parameters", "prompt", "invokeai_metadata", "Comment"}:
        raise OutputError(f"The image's text {sorted(too_large)[0]!r} is too large to be read.")
    return None


def _swarmui(texts: Mapping[str, str]) -> ParsedParameters | None:
    source = _parameters(texts)
    match read_json(source):
        case {"sui_image_params": dict(data)}:
            return read_keys(SWARMUI, data, source=source)
        case _:
            return None


def _fooocus(texts: Mapping[str, str]) -> ParsedParameters | None:
    source = _parameters(texts)
    data = read_json(source)
    if data is None or not {"prompt", "seed"} & data.keys():
        return None
    signs = (texts.get(SOFTWARE, ""), str(data.get("version")))
    is_known = "fooocus_scheme" in texts or any(sign.startswith("Fooocus") for sign in signs)
    keys = FOOOCUS if is_known else replace(FOOOCUS, program=None)
    return read_keys(keys, data, source=source)


def _invokeai(texts: Mapping[str, str]) -> ParsedParameters | None:
    source = texts.get("invokeai_metadata", "")
    if (data := read_json(source)) is not None:
        return read_keys(INVOKEAI, data, source=source)
    source = texts.get("sd-metadata", "")  # of its second version
    match read_json(source):
        case {"image": dict(data)}:
            match data.get("prompt"):
                case [{"prompt": str(prompt)}, *_]:
                    data = {**data, "prompt": prompt}
                case _:
                    pass
            known = {"prompt": "positive_prompt", "sampler": "scheduler"}
            data = {known.get(key, key): value for key, value in data.items()}
            return read_keys(INVOKEAI, data, source=source)
        case _:
            return None


def _novelai(texts: Mapping[str, str]) -> ParsedParameters | None:
    source = texts.get("Comment", "")
    data = read_json(source)
    if data is None or not {"uc", "seed", "scale"} & data.keys():
        return None
    keys = NOVELAI if texts.get("Software") == "NovelAI" else replace(NOVELAI, program=None)
    prompt = data.get("prompt") or texts.get("Description")
    return read_keys(keys, {**data, "prompt": prompt}, source=source)


def _draw_things(texts: Mapping[str, str]) -> ParsedParameters | None:
    if in_xmp := _XMP_COMMENT.search(texts.get(XMP, "")):
        source = html.unescape(in_xmp[1])
    else:
        source = texts.get(COMMENT, "")
    data = read_json(source)
    if data is None or not {"c", "seed"} <= data.keys():
        return None
    return read_keys(DRAW_THINGS, data, source=source)


def _comfyui(texts: Mapping[str, str]) -> ParsedParameters | None:
    # It has no text in a WebP, and takes the camera's model for it.
    source = texts.get("prompt") or texts.get(MODEL, "").removeprefix("prompt:")
    graph = read_json(source)
    if graph is None or not any(
        isinstance(node, dict) and "class_type" in node for node in graph.values()
    ):
        return None
    return read_graph(graph, source=source)


def _automatic1111(texts: Mapping[str, str]) -> ParsedParameters | None:
    text = texts.get("parameters")
    if text is None:
        text = texts.get(COMMENT, "")
        if not looks_like_parameters(text):
            return None
    is_fooocus = texts.get(SOFTWARE, "").startswith("Fooocus")
    return read_parameters(text, program="Fooocus" if is_fooocus else None)


def _parameters(texts: Mapping[str, str]) -> str:
    return texts.get("parameters") or texts.get(COMMENT, "")


_READERS: tuple[_Reader, ...] = (
    _swarmui,
    _invokeai,
    _novelai,
    _draw_things,
    _fooocus,
    _automatic1111,
    _comfyui,
)
"""The first that knows the texts has them. ComfyUI's graph is last, for it also comes beside
AUTOMATIC1111's parameters, which say the same at less length."""
