from __future__ import annotations

import codecs
import io
import json
import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from sd_parsers import ParserManager

from sheepgen.errors import OutputError, UsageError
from sheepgen.metadata import image_file
from sheepgen.metadata.a1111 import to_parameters
from sheepgen.metadata.exif_texts import COMMENT
from sheepgen.metadata.image_file import (
    IMAGE_FORMATS,
    check_format,
    encode_image,
    read_record,
    record_in,
)
from sheepgen.metadata.image_texts import read_texts
from sheepgen.metadata.record_json import to_json
from sheepgen.schedulers import SCHEDULERS
from tests.samples import SIZE, records, sample_image, sample_record, sample_request

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.metadata.record import ImageRecord

PADDING = "\ufeff\0"
FORMATS = pytest.mark.parametrize("suffix", [*IMAGE_FORMATS, ".PNG"])


def record_of(path: Path) -> ImageRecord | None:
    return record_in(read_texts(path), path)


def parameters_text(path: Path) -> str | None:
    """Return the text where readers of AUTOMATIC1111's files look for the parameters."""
    texts = read_texts(path).texts
    return texts.get("parameters") or texts.get(COMMENT)


@FORMATS
@settings(max_examples=25)
@given(record=records)
def test_every_record_comes_back_out_of_the_file(
    tmp_path: Path, suffix: str, record: ImageRecord
) -> None:
    path = tmp_path / "image"
    path.write_bytes(encode_image(sample_image(), record, suffix))
    assert read_record(path) == record


@FORMATS
def test_the_same_image_gives_the_same_bytes(suffix: str) -> None:
    once, again = (encode_image(sample_image(), sample_record(), suffix) for _ in range(2))
    assert once == again


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_png_and_webp_keep_every_pixel(suffix: str) -> None:
    picture = Image.frombytes("RGB", SIZE, os.urandom(SIZE[0] * SIZE[1] * 3))
    data = encode_image(picture, sample_record(), suffix)
    with Image.open(io.BytesIO(data)) as reread:
        assert reread.tobytes() == picture.tobytes()


def test_png_carries_both_texts_and_more() -> None:
    record = sample_record(prompt="ein Schaf mit Hut, 羊")
    data = encode_image(sample_image(), record, ".png", texts={"sheepgen-step": "3/20"})
    with Image.open(io.BytesIO(data)) as reread:
        assert reread.info["parameters"] == to_parameters(record)
        assert reread.info["sheepgen"] == to_json(record)
        assert reread.info["sheepgen-step"] == "3/20"


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_other_programs_read_the_parameters(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    record = sample_record(
        prompt="a red sheep",
        negative_prompt="blurry",
        seed=7,
        variation_seed=8,
        variation_strength=0.25,
    )
    path.write_bytes(encode_image(sample_image(), record, suffix))
    info = ParserManager().parse(path)
    assert info is not None
    (sampler,) = info.samplers
    assert [prompt.value for prompt in sampler.prompts] == ["a red sheep"]
    assert [prompt.value for prompt in sampler.negative_prompts] == ["blurry"]
    assert sampler.name == "DPM++ 2M"
    assert sampler.parameters["seed"] == "7"
    assert sampler.parameters["steps"] == "3"
    assert sampler.parameters["cfg_scale"] == "7.5"
    assert sampler.parameters["scheduler"] == "Karras"
    assert info.metadata["Size"] == "32x24"
    assert info.metadata["Variation seed"] == "8"
    assert info.metadata["Variation seed strength"] == "0.25"


plain_words = st.text("ab c,.()羊é", min_size=1, max_size=40).filter(str.strip).map(str.strip)


@given(record=records, prompt=plain_words, negative_prompt=plain_words | st.just(""))
def test_another_parser_agrees_on_every_field_that_it_knows(
    tmp_path: Path, record: ImageRecord, prompt: str, negative_prompt: str
) -> None:
    request = replace(
        record.request,
        prompt=prompt,
        blend="",
        negative_prompt=negative_prompt,
        model="sheepgen",
        lora="",  # which A1111 writes into the prompt
    )
    path = tmp_path / "image.png"
    path.write_bytes(encode_image(sample_image(), replace(record, request=request), ".png"))
    info = ParserManager().parse(path)
    assert info is not None
    (sampler,) = info.samplers
    assert [each.value for each in sampler.prompts] == [prompt]
    assert [each.value for each in sampler.negative_prompts] == [negative_prompt] * bool(
        negative_prompt
    )
    assert request.scheduler is not None
    assert sampler.name == SCHEDULERS[request.scheduler].sampler
    assert int(sampler.parameters["seed"]) == request.seed
    assert int(sampler.parameters["steps"]) == request.num_inference_steps
    assert float(sampler.parameters["cfg_scale"]) == request.guidance_scale
    told = info.metadata
    assert told["Size"] == f"{request.width}x{request.height}"
    assert float(told.get("Eta", 0)) == request.eta
    assert float(told.get("Guidance rescale", 0)) == request.guidance_rescale
    assert float(told.get("Variation seed strength", 0)) == request.variation_strength
    if request.variation_strength:
        assert int(told["Variation seed"]) == request.variation_seed


@pytest.mark.parametrize("suffix", ["", ".gif", ".txt", ".png2"])
def test_unknown_endings_are_refused(suffix: str) -> None:
    with pytest.raises(UsageError, match="Unknown image format"):
        check_format(suffix, sample_request())


@pytest.mark.parametrize("letter", ["x", "\x01", "é", "羊", "🐑"])
def test_a_jpeg_takes_the_longest_prompt_that_is_let_through(letter: str) -> None:
    room = image_file.MAX_JPEG_PROMPT_BYTES - len("sheepgen")
    prompt = letter * (room // len(letter.encode()))
    check_format(".jpg", sample_request(prompt=prompt))
    record = sample_record(prompt=prompt, truncated=(prompt,))
    assert encode_image(sample_image(), record, ".jpg")


def test_a_prompt_too_long_for_a_jpeg_is_refused_before_drawing() -> None:
    with pytest.raises(UsageError, match="too long"):
        check_format(".jpeg", sample_request(prompt="x" * image_file.MAX_JPEG_PROMPT_BYTES))
    check_format(".png", sample_request(prompt="x" * image_file.MAX_JPEG_PROMPT_BYTES))


def test_an_image_without_a_record_says_so(tmp_path: Path) -> None:
    for name in ("plain.png", "plain.jpg", "plain.webp"):
        sample_image().save(tmp_path / name)
        with pytest.raises(OutputError, match="has no record"):
            read_record(tmp_path / name)
        assert record_of(tmp_path / name) is None
        assert parameters_text(tmp_path / name) is None


@FORMATS
@settings(max_examples=25)
@given(record=records)
def test_the_parameters_come_back_out_of_the_file(
    tmp_path: Path, suffix: str, record: ImageRecord
) -> None:
    path = tmp_path / "image"
    path.write_bytes(encode_image(sample_image(), record, suffix))
    text = parameters_text(path)
    assert text is not None
    # Programs pad the comment with NULs: at its ends they are no part of it.
    assert text.strip(PADDING) == to_parameters(record).strip(PADDING)


PARAMETERS = "ein Schaf, 羊\nSteps: 20, Seed: 3"


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (b"UNICODE\0" + PARAMETERS.encode("utf-16-be"), PARAMETERS),
        (b"UNICODE\0" + PARAMETERS.encode("utf-16-le"), PARAMETERS),
        (b"UNICODE\0" + codecs.BOM_UTF16_LE + PARAMETERS.encode("utf-16-le"), PARAMETERS),
        (b"UNICODE\0" + codecs.BOM_UTF16_BE + PARAMETERS.encode("utf-16-be"), PARAMETERS),
        (b"UNICODE\0" + "nothing".encode("utf-16-be") + b"\0", "nothing\ufffd"),
        (b"ASCII\0\0\0Steps: 20, Seed: 3\0", "Steps: 20, Seed: 3"),
        (b"ASCII\0\0\0" + PARAMETERS.encode(), PARAMETERS),
        (bytes(8) + PARAMETERS.encode(), PARAMETERS),
        (PARAMETERS.encode(), PARAMETERS),
        (b"\xff bad", "\ufffd bad"),
        ("text", "text"),
        (b"UNICODE\0" + "Steps: 20".encode("utf-16-le"), "Steps: 20"),
        (b"UNICODE\0" + PARAMETERS.encode("utf-8"), PARAMETERS),
        (b"JIS\0\0\0\0\0" + "羊, Steps: 20".encode("iso2022_jp"), "羊, Steps: 20"),
        (b"UNICODE\0", None),
        (7, None),
    ],
)
def test_comments_are_read_in_every_charset(
    tmp_path: Path, suffix: str, comment: object, text: str | None
) -> None:
    in_second, in_first = Image.Exif(), Image.Exif()
    in_second.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    in_first[ExifTags.Base.UserComment] = comment
    path = tmp_path / f"image{suffix}"
    for exif in (in_second, in_first):
        sample_image().save(path, exif=exif.tobytes())
        assert parameters_text(path) == text


def test_parameters_are_looked_for_as_safely(tmp_path: Path) -> None:
    sample_image().save(tmp_path / "image.png", format="BMP")
    for name in ("image.png", "missing.png"):
        with pytest.raises(OutputError):
            parameters_text(tmp_path / name)


def test_a_malformed_record_names_its_file(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("sheepgen", '{"format": 99}')
    sample_image().save(tmp_path / "odd.png", pnginfo=info)
    with pytest.raises(OutputError, match=r"odd\.png.*format 99"):
        read_record(tmp_path / "odd.png")


def test_other_formats_are_not_opened(tmp_path: Path) -> None:
    sample_image().save(tmp_path / "image.png", format="BMP")
    with pytest.raises(OutputError, match="cannot be read"):
        read_record(tmp_path / "image.png")


def test_only_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("pipe.png", "missing.png", ".", "nul\0.png"):
        with pytest.raises(OutputError):
            read_record(tmp_path / name)


def test_huge_files_are_not_opened(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(image_file.MAX_FILE_BYTES + 1)
    with pytest.raises(OutputError, match="larger than"):
        read_record(tmp_path / "huge.png")


def test_only_what_this_package_wrote_is_a_record(tmp_path: Path) -> None:
    for number, description in enumerate(
        [
            "a nice sheep, by me",
            "{}",
            '{"format": "JPEG", "request": {}}',
            '{"prompt": "a sheep"}',
            "[" * 10_000,
        ]
    ):
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = description
        for suffix in (".jpg", ".webp", ".png"):
            path = tmp_path / f"{number}{suffix}"
            sample_image().save(path, exif=exif.tobytes())
            assert record_of(path) is None


@pytest.mark.parametrize("spaced", [False, True])
def test_a_record_in_exif_may_be_written_another_way(tmp_path: Path, *, spaced: bool) -> None:
    data = json.loads(to_json(sample_record()))
    exif = Image.Exif()
    text = json.dumps(data, indent=1, sort_keys=True) if spaced else json.dumps(data)
    exif[ExifTags.Base.ImageDescription] = text
    sample_image().save(tmp_path / "image.jpg", exif=exif.tobytes())
    assert read_record(tmp_path / "image.jpg") == sample_record()


def test_a_damaged_record_in_exif_is_not_passed_over(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = to_json(sample_record())[:-40]
    sample_image().save(tmp_path / "image.jpg", exif=exif.tobytes())
    with pytest.raises(OutputError, match="not JSON"):
        read_record(tmp_path / "image.jpg")


def test_text_that_looks_like_utf8_comes_back_as_it_was(tmp_path: Path) -> None:
    record = sample_record(prompt="\u00c3\u00a9, not an accent")
    path = tmp_path / "image.png"
    path.write_bytes(encode_image(sample_image(), record, ".png"))
    assert parameters_text(path) == to_parameters(record)


def test_the_record_of_a_huge_picture_is_read_without_the_picture(tmp_path: Path) -> None:
    data = encode_image(sample_image(), sample_record(), ".png")
    width = data.index(b"IHDR") + 4
    (tmp_path / "bomb.png").write_bytes(
        data[:width] + b"\0\0\xff\xff\0\0\xff\xff" + data[width + 8 :]
    )
    assert read_record(tmp_path / "bomb.png") == sample_record()


def test_a_compressed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("sheepgen", "x" * 20_000_000, zip=True)
    sample_image().save(tmp_path / "bomb.png", pnginfo=info)
    with pytest.raises(OutputError):
        read_record(tmp_path / "bomb.png")


@FORMATS
@settings(max_examples=60)
@given(data=st.data())
def test_damaged_files_raise_nothing_else(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    whole = bytearray(encode_image(sample_image(), sample_record(), suffix))
    for _ in range(data.draw(st.integers(0, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "image"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for read in (read_record, parameters_text):
        with suppress(OutputError):  # either outcome is right, another error is not
            read(path)
