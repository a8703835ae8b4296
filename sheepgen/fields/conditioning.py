"""What the networks see besides the prompts: sizes, the crop, and a layer of the text encoder."""

from __future__ import annotations

from sheepgen.fields.field import Field

__all__ = ["CONDITIONING_ROWS"]

_SIDES = "[1-9][0-9]{0,3}x[1-9][0-9]{0,3}"

CONDITIONING_ROWS = (
    Field(
        name="original_size",
        label="original size",
        kind=str,
        pattern=_SIDES,
        example="1024x768",
        options=("--original-size",),
        metavar="WxH",
        panel="Model",
        help="Size that the image should look scaled from (SDXL only).",
        help_for_several="Sizes that the image should look scaled from, as in 512x512,2048x2048 "
        "(SDXL only).",
        file_name=(15, "from{original_size}"),
        a1111=("Original size",),
        since=5,
    ),
    Field(
        name="crop_offset",
        label="crop offset",
        kind=str,
        pattern="[0-9]{1,4}x[0-9]{1,4}",
        example="256x0",
        options=("--crop-offset",),
        metavar="XxY",
        panel="Model",
        help="How far from the left and top the image should look cropped, in pixels (SDXL only).",
        help_for_several="How far from the left and top the image should look cropped, as in "
        "0x0,256x0 (SDXL only).",
        file_name=(16, "crop{crop_offset}"),
        a1111=("Crop offset",),
        since=5,
    ),
    Field(
        name="target_size",
        label="target size",
        kind=str,
        pattern=_SIDES,
        example="1024x768",
        options=("--target-size",),
        metavar="WxH",
        panel="Model",
        help="Size of the picture after the crop (SDXL only).",
        help_for_several="Sizes of the picture after the crop, as in 512x512,768x768 (SDXL only).",
        file_name=(17, "to{target_size}"),
        a1111=("Target size",),
        since=5,
    ),
    Field(
        name="clip_skip",
        label="clip skip",
        kind=int,
        low=1,
        high=64,
        options=("--clip-skip",),
        metavar="N",
        panel="Model",
        help="Which layer of the text encoder to use, counted from the last; 1 is off.",
        help_for_several="Which layers of the text encoder to use, counted from the last, as in "
        "1,2; 1 is off.",
        file_name=(20, "clipskip{clip_skip}"),
        a1111=("Clip skip",),
        since=6,
    ),
)
