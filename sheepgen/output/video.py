"""Pictures as an MP4: H.264, which every browser and phone plays. It takes the package ``av``.

https://pyav.basswood-io.com: FFmpeg's libraries, with the encoder x264.
"""

from __future__ import annotations

import io
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING

from PIL import Image

from sheepgen.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_video", "encode_mp4"]

_MILLISECONDS = Fraction(1, 1000)
_QUALITY = "18"
"""Constant rate factor of x264, 0 to 51: about where a loss begins to be seen."""


def check_video() -> None:
    """Check that films can be encoded, without loading what encodes them.

    Raises:
        UsageError: If the package is not installed.
    """
    found = find_spec("av")
    if found is None or found.origin is None:  # a folder that happens to be called so has none
        raise UsageError(
            "MP4 needs the package av, which is not installed.",
            "Install `sheepgen[video]`, or choose webp or gif.",
        )


def encode_mp4(
    pictures: Sequence[Image.Image], durations: Sequence[int], *, mark: str = ""
) -> bytes:
    """Encode a film of as many pixels as the pictures have; odd sides lose one.

    Args:
        pictures: In their order; they come out as large as the last one.
        durations: How long each is shown, in milliseconds.
        mark: Written to the file as it is, so that it can be found there.

    Raises:
        UsageError: As `check_video`.
    """
    check_video()
    import av

    # Colours are stored for two by two pixels.
    width, height = (max(2, side - side % 2) for side in pictures[-1].size)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as film:
        film.metadata["comment"] = mark
        stream = film.add_stream("libx264", options={"crf": _QUALITY, "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = _MILLISECONDS
        at = 0
        # The last one comes twice, so that it is shown for its whole time.
        shown = zip((*pictures, pictures[-1]), (*durations, 0), strict=True)
        for picture, duration in shown:
            scaled = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
            frame = av.VideoFrame.from_image(scaled)
            frame.pts, frame.time_base = at, _MILLISECONDS
            film.mux(stream.encode(frame))
            at += duration
        film.mux(stream.encode(None))
    return buffer.getvalue()
