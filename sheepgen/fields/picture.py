"""The picture to start from, the size, and the second pass that enlarges it."""

from __future__ import annotations

from sheepgen.fields.field import Field
from sheepgen.fields.limits import MAX_SIDE

__all__ = ["PICTURE_ROWS"]

_NUMBER = r"[0-9]{1,4}(\.[0-9]{0,4})?|\.[0-9]{1,4}"

PICTURE_ROWS = (
    Field(
        name="image",
        label="image",
        kind=str,
        hint_if_blank="Give the path of a picture.",
        blank_label="path of the image",
        is_file=True,
        options=("--image",),
        aliases=("init-image", "init-img"),
        metavar="FILE",
        panel="Image",
        help="Picture to start from instead of noise alone: PNG, JPEG or WebP.",
        help_for_several="Pictures to start from, separated by commas.",
        file_name=(11, "{image}"),
        slug_if_empty="picture",
        since=4,
    ),
    Field(
        name="mask",
        label="mask",
        kind=str,
        hint_if_blank="Give the path of a picture.",
        blank_label="path of the mask",
        is_file=True,
        needs_image=True,
        options=("--mask",),
        aliases=("mask-image",),
        metavar="FILE",
        panel="Image",
        help="Mask of the picture: white is repainted, black is kept.",
        help_for_several="Masks of the picture, separated by commas: white is repainted, black is "
        "kept.",
        file_name=(13, "{mask}"),
        slug_if_empty="mask",
        since=4,
    ),
    Field(
        name="fit",
        label="fit",
        kind=str,
        choices=("crop", "pad", "stretch"),
        needs_image=True,
        options=("--fit",),
        metavar="WORD",
        panel="Image",
        help="How to fit a picture of another shape: crop (to its middle), pad (with white) or "
        "stretch. Defaults to crop.",
        file_name=(14, "{fit}"),
        since=4,
    ),
    Field(
        name="width",
        label="width",
        kind=int,
        low=1,
        high=MAX_SIDE,
        from_model=True,
        options=("-W", "--width"),
        metavar="PIXELS",
        panel="Image",
        help="Width in pixels.",
        axis="size",
        file_name=(4, "{width}x{height}"),
    ),
    Field(
        name="height",
        label="height",
        kind=int,
        low=1,
        high=MAX_SIDE,
        from_model=True,
        options=("-H", "--height"),
        metavar="PIXELS",
        panel="Image",
        help="Height in pixels.",
        axis="size",
    ),
    Field(
        name="hires",
        label="hires",
        kind=str,
        pattern=rf"(none|({_NUMBER})(:({_NUMBER}))?)?",
        example="2:0.5",
        options=("--hires",),
        aliases=("hires-fix",),
        metavar="SCALE[:STRENGTH]",
        panel="Image",
        help="Upscale the image this many times and denoise it again from this share of noise (0.5 "
        "by default), as in 1.5 or 2:0.4. none turns it off.",
        help_for_several="Upscale the image and denoise it again, as in none,1.5,2:0.4: how many "
        "times larger, and from which share of noise (0.5 by default).",
        file_name=(18, "hires-{hires}"),
        since=6,
    ),
)
