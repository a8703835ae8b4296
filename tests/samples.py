"""Records, requests and events for tests that need one and do not care which."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from PIL import Image

from sheepgen.adapters import LoraReference, to_text
from sheepgen.blend import WeightedPrompt, blend_to_text
from sheepgen.branch import CHANGING_FIELDS, Change, canonical_branch, write_branch
from sheepgen.events import (
    Event,
    FrameDecoded,
    ImageSaved,
    RunFinished,
    RunStarted,
    StepCompleted,
)
from sheepgen.fields import FIELDS, HASHED_FIELDS, MAX_SIDE, Field
from sheepgen.guidance_interval import canonical_interval
from sheepgen.hires import canonical_hires
from sheepgen.metadata.record import Environment, ImageRecord
from sheepgen.models.checkpoint import Checkpoint
from sheepgen.models.families import FAMILIES
from sheepgen.models.spec import ModelDefaults, ModelSpec
from sheepgen.prompt_reading import Correction, UnusedWord
from sheepgen.request import TEMPLATES
from sheepgen.resolved_request import ResolvedRequest
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = (32, 24)


def sample_request(**fields: Any) -> ResolvedRequest:
    """Return a resolved request."""
    resolved: dict[str, Any] = {
        "prompt": "a red sheep",
        "seed": 42,
        "num_inference_steps": 3,
        "guidance_scale": 7.5,
        "width": SIZE[0],
        "height": SIZE[1],
        "scheduler": "dpmpp_2m_karras",
    }
    if fields.get("blend"):
        del resolved["prompt"]
    return ResolvedRequest(**(resolved | fields))


def sample_spec(
    name: str = "some",
    *,
    scheduler: str | None = "ddim",
    width: int = 512,
    height: int = 512,
    **changes: Any,
) -> ModelSpec:
    """Return a Stable Diffusion model that is not on the disk; ``changes`` are of `ModelSpec`."""
    checkpoint = Checkpoint(
        folder=Path(name),
        family=FAMILIES[-1],
        classes={},
        configs={},
        weights=(),
        stored={},
    )
    spec = ModelSpec(
        name=name,
        checkpoint=checkpoint,
        revision=None,
        size_multiple=8,
        max_tokens=77,
        sha256="0" * 64,
        weight_bytes=0,
        defaults=ModelDefaults(
            num_inference_steps=20,
            guidance_scale=7.5,
            scheduler=scheduler,
            width=width,
            height=height,
        ),
    )
    return replace(spec, **changes)


def sample_environment() -> Environment:
    return Environment(
        sheepgen="0.1.0",
        recipe=1,
        torch="2.14.1",
        diffusers="0.42.1",
        transformers="5.23.0",
        python="3.11.7",
        platform="Linux-x86_64",
        device="cpu",
        device_name="A processor",
        dtype="fp32",
        threads=2,
        batch_size=1,
        model_sha256="ab" * 32,
        model_revision=None,
    )


def sample_record(*, truncated: tuple[str, ...] = (), **fields: Any) -> ImageRecord:
    return ImageRecord(
        request=sample_request(**fields),
        environment=sample_environment(),
        noise_sha256="12" * 32,
        latents_sha256="34" * 32,
        truncated=truncated,
    )


def sample_image(colour: tuple[int, int, int] = (200, 30, 30)) -> Image.Image:
    return Image.new("RGB", SIZE, colour)


def sample_saved(path: Path, request: ResolvedRequest | None = None) -> ImageSaved:
    """Write a file that stands for an image, and return the event of it."""
    data = f"pixels of {path.name}".encode()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    request = request or sample_request()
    return ImageSaved(
        request=request,
        record=replace(sample_record(), request=request),
        path=path,
        artifacts={},
        sha256=hashlib.sha256(data).hexdigest(),
        elapsed_s=1.23456,
    )


def sample_events(request: ResolvedRequest, *, noisy: bool = False) -> Iterator[Event]:
    """Yield what `sheepgen.pipeline.run.stream` would for a request of a few steps."""
    steps = request.num_inference_steps or 1
    yield RunStarted(request=request, total_steps=steps, device="cpu", dtype="fp32")
    for step in range(1, steps + 1):
        yield StepCompleted(
            request=request,
            step=step,
            total_steps=steps,
            timestep=1000.0 - step,
            elapsed_s=float(step),
        )
    kinds: tuple[Any, ...] = ("clean", "noisy") if noisy else ("clean",)
    for kind in kinds:
        for step in range(steps + 1):
            yield FrameDecoded(
                request=request,
                kind=kind,
                step=step,
                total_steps=steps,
                timestep=1000.0 - step,
                image=sample_image((step * 255 // steps, 90, 90)),
            )
    record = sample_record(prompt=request.prompt, seed=request.seed)
    yield RunFinished(request=request, image=sample_image(), record=record, elapsed_s=float(steps))


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)
prompts = texts.filter(str.strip)


paths = st.text("ab/. é", min_size=1, max_size=9).map(str.strip).filter(bool)
scales = st.integers(-9_999_999, 9_999_999).map(lambda millionths: millionths / 1_000_000)


def _lora_texts() -> st.SearchStrategy[str]:
    references = st.lists(
        st.builds(LoraReference, paths, scales), max_size=3, unique_by=lambda each: each.path
    )
    return references.map(lambda each: to_text(tuple(each)))


def _hundredths(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(lambda number: f"{number / 100:.2f}")


hires_texts = st.just("none") | st.builds(
    lambda scale, strength: f"{scale}{strength}",
    _hundredths(101, 400),
    st.just("") | _hundredths(1, 100).map(":{}".format),
)
"""Second passes, in other spellings than requests have them."""


intervals = st.tuples(st.integers(0, 99), st.integers(1, 100)).map(
    lambda each: f"{min(each[0], each[1] - 1) / 100:.2f}-{each[1] / 100:.2f}"
)
"""Guidance intervals, in other spellings than requests have them."""

weights = st.integers(-9_999_999, 9_999_999).filter(bool).map(lambda each: each / 1_000_000)
blends = st.lists(
    st.builds(WeightedPrompt, prompts.map(str.strip), weights), min_size=1, max_size=3
).map(blend_to_text)


def _branch_texts() -> st.SearchStrategy[str]:
    values = st.fixed_dictionaries(
        {}, optional={name: values_of(FIELDS[name]) for name in CHANGING_FIELDS}
    )
    changes = st.builds(Change, st.integers(1, 2000), values)
    return st.lists(changes, max_size=2, unique_by=lambda each: each.step).map(write_branch)


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """Return every value that a field may have."""
    if field.kind is int:
        return st.integers(field.low, field.high)
    if field.kind is float:
        return st.floats(field.low, field.high)
    if field.name == "blend":
        return st.just("") | blends
    if field.name == "hires":
        return hires_texts.map(canonical_hires)
    if field.name == "guidance_interval":
        return intervals.map(canonical_interval)
    if field.name == "branch":
        return _branch_texts().map(canonical_branch)
    if field.pattern:
        return st.from_regex(field.pattern, fullmatch=True)
    if field.name == "scheduler":
        return st.sampled_from(sorted(SCHEDULERS))
    if field.choices:
        return st.sampled_from(field.choices)
    if field.name == "lora":
        return _lora_texts()
    if field.is_weights:
        return paths | st.just("")
    return prompts if field.hint_if_blank else texts


HASHES = {f"{name}_sha256": FIELDS[name] for name in HASHED_FIELDS}
"""Hashes of files, which belong to other fields and have no row of their own."""

RESOLVED = {
    **HASHES,
    **dict.fromkeys(("hires_width", "hires_height"), FIELDS["hires"]),
    **dict.fromkeys(("upscaler_width", "upscaler_height"), FIELDS["upscaler"]),
}
"""All fields of a resolved request that belong to others."""

FROM_PICTURE = {
    *(name for name, field in FIELDS.items() if field.is_file or field.needs_image),
    *(name for name, field in HASHES.items() if field.is_file),
}
"""Fields of a request that starts from a picture."""


def _request(fields: dict[str, Any], *, varied: bool, from_picture: bool) -> ResolvedRequest:
    if not varied:
        fields |= {"variation_seed": None, "variation_strength": 0.0}
    if not from_picture:
        fields |= dict.fromkeys(FROM_PICTURE)
    if fields["blend"]:
        fields["prompt"] = ""
    if fields["mask"] is not None:
        fields |= {"hires": "", "upscaler": ""}
    if fields["hires"]:
        fields["upscaler"] = ""
    if not fields["hires"]:
        fields |= {"hires_width": None, "hires_height": None}
    return ResolvedRequest(**fields)


requests = st.builds(
    _request,
    st.fixed_dictionaries(
        {
            **{name: values_of(field) for name, field in FIELDS.items()},
            **dict.fromkeys((*HASHES, "lora_autov3"), texts),
            **dict.fromkeys(("hires_width", "hires_height"), st.integers(1, MAX_SIDE)),
            **dict.fromkeys(TEMPLATES.values(), st.none() | prompts),
        }
    ),
    varied=st.booleans(),
    from_picture=st.booleans(),
)
unparsed_records = st.builds(
    ImageRecord,
    request=requests,
    environment=st.builds(Environment),
    noise_sha256=texts,
    latents_sha256=texts,
    truncated=st.lists(texts, max_size=5).map(tuple),
    understood=st.none(),
    unused=st.just(()),
    corrected=st.just(()),
)
"""Records of models that do not parse prompts."""

records = unparsed_records | st.builds(
    replace,
    unparsed_records,
    understood=texts,
    unused=st.lists(st.builds(UnusedWord, word=texts, suggestion=texts), max_size=3).map(tuple),
    corrected=st.lists(st.builds(Correction, typed=texts, read=texts), max_size=3).map(tuple),
)
"""Any record there can be; no value of any option is left out."""
