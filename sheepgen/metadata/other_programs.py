"""Read the settings in other programs' images, whichever program wrote them.

Each program is recognized by what only it writes. AUTOMATIC1111's parameters come near the end,
because other programs write them too.
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
from sheepgen.metadata.parsed_parameters import (
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
    from pathlib import Path

    from sheepgen.metadata.image_texts import ImageTexts
    from sheepgen.metadata.parsed_parameters import ParsedParameters

    _Reader = Callable[[Mapping[str, str]], ParsedParameters | None]

__all__ = ["find_parameters", "require_parameters"]

_XMP_COMMENT = re.compile(
    r"<exif:UserComment>\s*+(?:<rdf:Alt>\s*+<rdf:li[^>]*+>)?+([^<]*+)<", re.DOTALL
)


def find_parameters(found: ImageTexts) -> ParsedParameters | None:
    """Return the settings in the texts of an image, or None if no known program wrote them.

    Raises:
        OutputError: If a known program wrote them and they cannot be read.
    """
    for read in _READERS:
        if (parameters := read(found.texts)) is not None:
            return parameters
    if too_large := found.too_large & {"parameters", "prompt", "invokeai_metadata", "Comment"}:
        raise OutputError(f"The image's text {sorted(too_large)[0]!r} is too large to read.")
    return None


def require_parameters(found: ImageTexts, path: Path) -> ParsedParameters:
    """Return the settings in the texts of an image that has no record.

    Raises:
        OutputError: If it has no settings either, or they cannot be read.
    """
    parameters = find_parameters(found)
    if parameters is None or not (parameters.settings or parameters.not_mapped):
        raise OutputError(
            f"{path} has no record and no parameters.",
            "They were never written, or another program removed them.",
        )
    return parameters


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
    source = texts.get("sd-metadata", "")  # InvokeAI 2
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
    # In a WebP it uses the EXIF camera model for it.
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
"""In the order that they are tried. ComfyUI's graph is last, because it also appears beside
AUTOMATIC1111's parameters, which are shorter and say the same."""
