"""``sheepgen rerun``: an image regenerated from its own metadata, changed or not.

A record says everything; other programs' settings, which count where there is no record, leave some
of it to the model. The image may be anybody's: where files go and, but for the cases of
`sheepgen.verify.recorded_model`, what is loaded are the user's to say; nothing is fetched without
``--fetch`` or ``--model``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sheepgen.cli import options
from sheepgen.cli import rerun_options as new
from sheepgen.cli.console import cli_errors, error_console
from sheepgen.fields import RANDOM_SEED

if TYPE_CHECKING:
    from rich.console import Console

    from sheepgen.metadata.record import Environment
    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import GenerationRequest

__all__ = ["rerun"]


def rerun(
    image: options.ImageArg,
    *,
    prompt: new.NewPromptOpt = None,
    negative_prompt: new.NewNegativePromptOpt = None,
    seed: new.NewSeedOpt = None,
    variation_seed: new.NewVariationSeedOpt = None,
    variation_strength: new.NewVariationStrengthOpt = None,
    count: options.CountOpt = 1,
    width: new.NewWidthOpt = None,
    height: new.NewHeightOpt = None,
    size: options.SizeOpt = None,
    model: new.NewModelOpt = None,
    fetch: new.FetchOpt = False,
    steps: new.NewStepsOpt = None,
    guidance: new.NewGuidanceOpt = None,
    guidance_rescale: new.NewGuidanceRescaleOpt = None,
    eta: new.NewEtaOpt = None,
    scheduler: new.NewSchedulerOpt = None,
    device: options.DeviceOpt = "auto",
    dtype: new.NewDtypeOpt = None,
    batch_size: options.BatchSizeOpt = "1",
    output: options.OutputOpt = None,
    frames: options.FramesOpt = "steps",
    frame_decoder: options.FrameDecoderOpt = "auto",
    overwrite: options.OverwriteOpt = False,
    strict: options.StrictOpt = False,
    offline: options.OfflineOpt = False,
    dry_run: options.DryRunOpt = False,
    json: options.JsonOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    quiet: options.QuietOpt = False,
    verbose: options.VerboseOpt = False,
) -> None:
    """Regenerate an image, changing only the options you give."""
    with cli_errors(verbose=verbose):
        from sheepgen.cli.images import generate_images, plan_images
        from sheepgen.cli.parsing import (
            pick_seeds,
            random_seed_notes,
            read_batch_size,
            read_prompt,
            read_size,
        )
        from sheepgen.execution.plan import RunSettings
        from sheepgen.options import DeviceOptions

        console = error_console(quiet=quiet or progress_json)
        width, height = read_size(size, width, height)
        prompt = None if prompt is None else read_prompt(prompt)
        recorded = _read(
            Path(image),
            model,
            console,
            fetch=fetch,
            prompt=prompt,
            seed=0 if seed == RANDOM_SEED else seed,
        )
        before, environment = recorded.request, recorded.environment
        if variation_strength and variation_seed is None and before.variation_seed is None:
            variation_seed = RANDOM_SEED
        fields = {
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            "seed": seed,
            "variation_seed": variation_seed,
            "variation_strength": variation_strength,
            "num_inference_steps": steps,
            "guidance_scale": guidance,
            "guidance_rescale": guidance_rescale,
            "eta": eta,
            "width": width,
            "height": height,
            "scheduler": scheduler,
        }
        picked = pick_seeds(fields)
        given: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        settings = RunSettings(
            device=DeviceOptions(
                device=device,
                dtype=dtype or (environment.dtype if environment else "auto"),
                batch_size=read_batch_size(batch_size),
            ),
            frames=frames,
            frame_decoder=frame_decoder,
            overwrite=overwrite,
            strict=strict,
            offline=offline,
        )
        plan = plan_images(
            replace(before, **given | picked),
            output,
            settings,
            # A model that the user has not named is never downloaded in silence.
            error_console(quiet=quiet and model is not None),
            count=count,
            spec=recorded.spec,
            dry_run=dry_run,
            json=json,
        )
        if plan is None:
            return
        notes = random_seed_notes(picked)
        if environment is not None and plan.spec.sha256 != environment.model_sha256:
            notes.append(
                f"{plan.spec.name} has other weights here than the image was generated with: "
                "expect another picture."
            )
        generate_images(
            plan,
            console,
            notes,
            dry_run=dry_run,
            json=json,
            progress_json=progress_json,
            verbose=verbose,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Recorded:
    """What an image asks for, with a model that is safe to find.

    Args:
        request: To be changed.
        environment: What the image was generated with, if it says so.
        spec: The model, if it was found already.
    """

    request: GenerationRequest
    environment: Environment | None = None
    spec: ModelSpec | None = None


def _read(
    path: Path,
    model: str | None,
    console: Console,
    *,
    fetch: bool,
    prompt: str | None,
    seed: int | None,
) -> _Recorded:
    """Return what an image asks for, its model replaced by one that is safe to find.

    Args:
        path: Of the image.
        model: As given; None for the image's own.
        console: For notes on what could not be read.
        fetch: Whether the image's own model may be fetched.
        prompt: As given; another program's image may name none.
        seed: Likewise.
    """
    from sheepgen.cli.show import print_not_mapped
    from sheepgen.metadata.image_file import record_in
    from sheepgen.metadata.image_texts import read_texts
    from sheepgen.metadata.other_programs import require_parameters
    from sheepgen.request import EMBEDDED_MODEL
    from sheepgen.verify.recorded_model import recorded_model

    texts = read_texts(path)
    record = record_in(texts, path)
    if record is not None:
        found = recorded_model(record, fetch=fetch) if model is None else model
        name, spec = (found, None) if isinstance(found, str) else (found.name, found)
        request = replace(record.request, model=name)
        return _Recorded(request=request, environment=record.environment, spec=spec)
    parameters = require_parameters(texts, path)
    asked = parameters.request(model=model or EMBEDDED_MODEL, prompt=prompt, seed=seed)
    print_not_mapped(console, parameters)
    return _Recorded(request=asked)
