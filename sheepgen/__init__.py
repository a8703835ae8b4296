"""Text to image: requests in, events out, every picture reproducible.

Names are imported when they are first used, so that ``import sheepgen`` costs nothing:

    from sheepgen import GenerationRequest, generate, load_model

    model = load_model("sheepgen")
    request = GenerationRequest(prompt="a fox in the snow", seed=42)
    image = generate(model, request)  # a Pillow image
    image.save("fox.png")  # with its record, as the command writes it

With the frames on its way, a filmstrip and an animation:

    from sheepgen import FrameOptions, save, stream

    saved = save(stream(model, request, FrameOptions()), "fox.png", frames="gif")
    print(saved.path, saved.artifacts)

A sweep, which resumes where it stopped when it is run again:

    from pathlib import Path

    from sheepgen import plan_sweep, run_sweep

    plan = plan_sweep({"prompt": ["a fox in the snow"], "seed": [1, 2]}, Path("foxes"))
    for event in run_sweep(plan):
        print(event)

Many different jobs, answered one by one; and the check that images match their records:

    from sheepgen import run_batch, verify_images

    jobs = ['{"prompt": "a red sheep", "seed": 7}', "a goat"]
    for event in run_batch(enumerate(jobs, start=1), "animals/"):
        print(event)
    for outcome in verify_images(["foxes", "animals"]):
        print(outcome.path, outcome.verdict)

Where the U-Net looks for each word, which changes no bit of the image:

    from sheepgen import record_attention, token_groups

    groups = token_groups(model, request)
    with record_attention(model, [groups]) as maps:
        image = generate(model, request)
    for group, heat in zip(groups, maps.steps.mean()[0]):  # (rows, columns), shares of attention
        print(group.text, heat.mean())

How near texts are in the space of its text encoder, which alone is loaded:

    from sheepgen import MeaningQuery, find_model, measure_meaning

    query = MeaningQuery(prompts=("a sheep", "a motorcycle"), words=("goat", "bus", "heart"))
    *_, meaning = measure_meaning(find_model("sheepgen"), query)
    print(1 - meaning.cosines, meaning.nearest)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sheepgen.batch.plan import JobAnswered, plan_batch
    from sheepgen.batch.run import run_batch
    from sheepgen.errors import SheepgenError
    from sheepgen.execution.plan import plan_run
    from sheepgen.execution.run import run_plan
    from sheepgen.execution.settings import RunSettings
    from sheepgen.explain import explain_image
    from sheepgen.meaning.measure import measure_meaning
    from sheepgen.meaning.query import MeaningQuery
    from sheepgen.metadata.generated_image import GeneratedImage
    from sheepgen.metadata.image_file import read_record
    from sheepgen.metadata.record import ImageRecord
    from sheepgen.models.resolve import find_model
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import FrameOptions
    from sheepgen.output.images import save
    from sheepgen.pipeline.attention_maps import record_attention
    from sheepgen.pipeline.denoise import denoise
    from sheepgen.pipeline.loading import load_model
    from sheepgen.pipeline.run import generate, stream, stream_batch
    from sheepgen.pipeline.token_groups import token_groups
    from sheepgen.prompt_template import expand_request
    from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
    from sheepgen.sweep.plan import plan_sweep
    from sheepgen.sweep.run import run_sweep
    from sheepgen.verify.compare import Comparison
    from sheepgen.verify.find import NotVerified
    from sheepgen.verify.regenerate import verify_images
    from sheepgen.version import __version__
    from sheepgen.wildcards import Wildcards

__all__ = [
    "EMBEDDED_MODEL",
    "Comparison",
    "FrameOptions",
    "GeneratedImage",
    "GenerationRequest",
    "ImageRecord",
    "JobAnswered",
    "MeaningQuery",
    "ModelSpec",
    "NotVerified",
    "RunSettings",
    "SheepgenError",
    "Wildcards",
    "__version__",
    "denoise",
    "expand_request",
    "explain_image",
    "find_model",
    "generate",
    "load_model",
    "measure_meaning",
    "plan_batch",
    "plan_run",
    "plan_sweep",
    "read_record",
    "record_attention",
    "run_batch",
    "run_plan",
    "run_sweep",
    "save",
    "stream",
    "stream_batch",
    "token_groups",
    "verify_images",
]

_LAZY = {
    "EMBEDDED_MODEL": "sheepgen.request",
    "Comparison": "sheepgen.verify.compare",
    "FrameOptions": "sheepgen.options",
    "GeneratedImage": "sheepgen.metadata.generated_image",
    "GenerationRequest": "sheepgen.request",
    "ImageRecord": "sheepgen.metadata.record",
    "JobAnswered": "sheepgen.batch.plan",
    "MeaningQuery": "sheepgen.meaning.query",
    "ModelSpec": "sheepgen.models.spec",
    "NotVerified": "sheepgen.verify.find",
    "RunSettings": "sheepgen.execution.plan",
    "SheepgenError": "sheepgen.errors",
    "Wildcards": "sheepgen.wildcards",
    "__version__": "sheepgen.version",
    "denoise": "sheepgen.pipeline.denoise",
    "expand_request": "sheepgen.prompt_template",
    "explain_image": "sheepgen.explain.run",
    "find_model": "sheepgen.models.resolve",
    "generate": "sheepgen.pipeline.run",
    "load_model": "sheepgen.pipeline.loading",
    "measure_meaning": "sheepgen.meaning.measure",
    "plan_batch": "sheepgen.batch.plan",
    "plan_run": "sheepgen.execution.plan",
    "plan_sweep": "sheepgen.sweep.plan",
    "read_record": "sheepgen.metadata.image_file",
    "record_attention": "sheepgen.pipeline.attention_maps",
    "run_batch": "sheepgen.batch.run",
    "run_plan": "sheepgen.execution.run",
    "run_sweep": "sheepgen.sweep.run",
    "save": "sheepgen.output.images",
    "stream": "sheepgen.pipeline.run",
    "stream_batch": "sheepgen.pipeline.run",
    "token_groups": "sheepgen.pipeline.token_groups",
    "verify_images": "sheepgen.verify.regenerate",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import a lazy name on its first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
