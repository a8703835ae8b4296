"""The picture that an image starts from, and the mask of what is repainted.

A request has the paths of both. When it is resolved, what lies there is checked and hashed, so that
nothing is started with a picture that cannot be used; when it is generated, it is read again, and
has to be the same bytes.

A picture is taken as viewers show it: turned as its EXIF says, and what is transparent lies on
white. In a mask, what is transparent is repainted therefore, as is what `fit` pads.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image, ImageOps

from sheepgen.errors import OutputError, UsageError
from sheepgen.metadata.image_file import MAX_FILE_BYTES, decode_untrusted, image_errors
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import steps_taken
from sheepgen.untrusted_file import expand_home, read_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sheepgen.request import GenerationRequest
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "MAX_FILE_BYTES",
    "InitImage",
    "check_init_image",
    "image_suffix",
    "init_image_notes",
    "inspect_bytes",
    "inspect_image",
    "load_image",
    "load_mask",
    "offer_bytes",
    "resolve_init_image",
]

_STRENGTH, _MASKED_STRENGTH = 0.8, 1.0
"""As in diffusers' pipelines."""

_FIT = "crop"

_HALF = 128
"""Level of grey from which on a mask is white."""

_TURNS: Mapping[int, Image.Transpose] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)
"""What puts a picture upright, by its orientation in EXIF."""


_SIGNATURES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp"}
"""How the formats that are read begin, and their file extensions."""

_OFFERED: dict[str, bytes] = {}
"""Files that are not written yet, by their paths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InitImage:
    """What there is to know of a picture before it is used.

    Args:
        sha256: Of the bytes of its file.
        size: Width and height in pixels, upright.
        is_transparent: Whether any of it is.
        has_white: Whether a mask that looks like this repaints anything.
    """

    sha256: str
    size: tuple[int, int]
    is_transparent: bool
    has_white: bool


def resolve_init_image(request: GenerationRequest, num_inference_steps: int) -> dict[str, Any]:
    """Return what a request leaves open about its picture, by the fields of `ResolvedRequest`.

    Of one that has been resolved before, the files are not read again.

    Args:
        request: With or without a picture.
        num_inference_steps: Its own, or its model's.

    Raises:
        UsageError: If a file is not a picture, cannot be read, or is too large; if the mask has
            another size than the picture, or nothing white; or if the strength leaves no step.
    """
    if request.image is None:
        return {}
    strength = request.strength
    if strength is None:
        strength = _STRENGTH if request.mask is None else _MASKED_STRENGTH
    if not steps_taken(num_inference_steps, strength):
        raise UsageError(
            f"strength {strength:g} of {num_inference_steps} steps is less than one step.",
            "Increase one of them.",
        )
    resolved = {"strength": strength, "fit": request.fit or _FIT}
    known = {name: getattr(request, name, None) for name in ("image_sha256", "mask_sha256")}
    if known["image_sha256"] is None or (known["mask_sha256"] is None) != (request.mask is None):
        known = check_init_image(request)
    return {**resolved, **known}


def check_init_image(request: GenerationRequest) -> dict[str, str | None]:
    """Check the files that a request names, and return their hashes by the names of the fields.

    Raises:
        UsageError: As `resolve_init_image`.
    """
    image, mask = request.image, request.mask
    if image is None:
        return {}
    picture = inspect_image(image)
    if mask is None:
        return {"image_sha256": picture.sha256, "mask_sha256": None}
    shape = inspect_image(mask)
    if shape.size != picture.size:
        width, height = picture.size
        raise UsageError(
            f"The mask {excerpt(mask, 200)} has {shape.size[0]}x{shape.size[1]} pixels, and the "
            f"picture {width}x{height}.",
            "Give them the same size.",
        )
    if not shape.has_white:
        raise UsageError(
            f"The mask {excerpt(mask, 200)} has no white in it, so nothing would be repainted.",
            "Paint the part to repaint white.",
        )
    return {"image_sha256": picture.sha256, "mask_sha256": shape.sha256}


def inspect_image(path: str) -> InitImage:
    """Check a picture and hash its file.

    Raises:
        UsageError: If it is not a PNG, JPEG or WebP of one picture, is damaged, has too many
            pixels, or cannot be read.
    """
    try:
        found = Path(expand_home(path)).stat()
    except (OSError, ValueError):
        return inspect_bytes(_read(path), path)  # where it says what is wrong
    return _remembered(path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=256)
def _remembered(path: str, _: tuple[int, ...]) -> InitImage:
    return inspect_bytes(_read(path), path)


def inspect_bytes(data: bytes, path: str) -> InitImage:
    """Do what `inspect_image` does with the bytes of a file, called ``path`` in messages."""
    picture, is_transparent = _decode(data, path)
    return InitImage(
        sha256=hashlib.sha256(data).hexdigest(),
        size=picture.size,
        is_transparent=is_transparent,
        has_white=picture.convert("L").getextrema()[1] >= _HALF,  # type: ignore[operator]
    )


def load_image(request: ResolvedRequest) -> Image.Image:
    """Return the picture that an image starts from, RGB, in the image's size.

    Raises:
        UsageError: If the file is not what it was when the request was resolved.
    """
    assert request.image is not None
    return _fitted(_load(request.image, request.image_sha256), request)


def load_mask(request: ResolvedRequest) -> Image.Image:
    """Return the mask in the image's size, ``L``: 255 where it is repainted, else 0.

    Raises:
        UsageError: If the file is not what it was when the request was resolved.
    """
    assert request.mask is not None
    mask = _load(request.mask, request.mask_sha256).convert("L")
    return _fitted(mask, request).point([255 * (level >= _HALF) for level in range(256)])


def _load(path: str, sha256: str | None) -> Image.Image:
    data = _read(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UsageError(
            f"{excerpt(path, 200)} has changed since the run was planned.",
            "Do not change it during the run.",
        )
    return _decode(data, path)[0]


def offer_bytes(path: str, data: bytes) -> None:
    """Have a file read from memory until it is written to its path."""
    _OFFERED[path] = data


def image_suffix(data: bytes) -> str:
    """Return the file extension of a picture that `inspect_bytes` takes."""
    return next(suffix for start, suffix in _SIGNATURES.items() if data.startswith(start))


def _read(path: str) -> bytes:
    if path in _OFFERED:
        return _OFFERED[path]
    file = Path(expand_home(path))
    try:
        with image_errors(file):
            return read_untrusted(file, max_bytes=MAX_FILE_BYTES)
    except OutputError as error:
        raise UsageError(error.message, error.hint or "Give the path of a picture.") from error


def _decode(data: bytes, path: str) -> tuple[Image.Image, bool]:
    """Return a picture upright and RGB, and whether any of it was transparent."""
    try:
        with image_errors(Path(path)), decode_untrusted(io.BytesIO(data)) as image:
            # Phones write a JPEG with a second picture for previews.
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                raise UsageError(
                    f"{excerpt(path, 200)} is an animation.",
                    "Use one of its frames.",
                )
            image.load()
            return _on_white(_upright(image))
    except OutputError as error:
        raise UsageError(error.message, error.hint or "Convert it first.") from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - whatever Pillow makes of damaged EXIF
        return image
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.convert("I").point(lambda level: level / 257).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB"), False
    picture = image.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    is_transparent = picture.getchannel("A").getextrema()[0] < 255  # type: ignore[operator]
    return Image.alpha_composite(white, picture).convert("RGB"), is_transparent


def _fitted(picture: Image.Image, request: ResolvedRequest) -> Image.Image:
    """Bring a picture to the image's size; one that has it stays as it is, pixel for pixel."""
    size = request.width, request.height
    method = Image.Resampling.LANCZOS
    match request.fit:
        case "stretch":
            return picture.resize(size, method)
        case "pad":
            return ImageOps.pad(picture, size, method, color="white")
        case _:
            return ImageOps.fit(picture, size, method)


def init_image_notes(requests: Iterable[ResolvedRequest]) -> tuple[str, ...]:
    """Return a sentence on each picture and mask to which something is done, each once."""
    notes: dict[str, None] = {}
    for request in requests:
        for path in filter(None, (request.image, request.mask)):
            picture = inspect_image(path)
            done = [_fitting(picture.size, request)]
            if picture.is_transparent:
                done.append("what is transparent in it is taken as white")
            if request.fit != _FIT and _has_shape(picture.size, request):
                done.append(f"it has the image's shape, so there is nothing to {request.fit}")
            if any(done):
                width, height = picture.size
                said = ", and ".join(filter(None, done))
                notes[f"{excerpt(path, 200)} has {width}x{height} pixels: {said}."] = None
    return tuple(notes)


def _has_shape(size: tuple[int, int], request: ResolvedRequest) -> bool:
    return size[0] * request.height == size[1] * request.width


def _fitting(size: tuple[int, int], request: ResolvedRequest) -> str:
    """Say how a picture is brought to the image's size; "" if it has it."""
    (width, height), wanted = size, f"{request.width}x{request.height}"
    if size == (request.width, request.height):
        return ""
    if _has_shape(size, request):
        return f"it is scaled to {wanted}"
    scales = request.width / width, request.height / height
    match request.fit:
        case "stretch":
            return f"it is stretched to {wanted}"
        case "pad":
            inner = f"{round(width * min(scales))}x{round(height * min(scales))}"
            return f"it is scaled to {inner} and padded with white to {wanted}"
        case _:
            cut = f"{round(request.width / max(scales))}x{round(request.height / max(scales))}"
            return f"its middle of {cut} is taken, and scaled to {wanted}"
