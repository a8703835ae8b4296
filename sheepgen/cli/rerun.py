"""``sheepgen rerun``: an image made again from what it carries, changed or not.

A record says everything; other programs' settings, which count where there is no record, leave some
of it to the model. The image may be anybody's: where files go and, but for the cases of
`sheepgen.verify.recorded_model`, what is loaded are the user's to say; nothing is fetched without
``--fetch`` or ``--model``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.cli import options
from sheepgen.cli import rerun_options as new
from sheepgen.cli.console import cli_errors, error_console
from sheepgen.request import RANDOM_SEED, draw_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from sheepgen.cli.plan import RunPlan
    from sheepgen.metadata.record import Environment
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
        from sheepgen.cli.download import downloader
        from sheepgen.cli.parsing import read_batch_size, read_prompt, read_size
        from sheepgen.cli.run import RunOptions, carry_out
        from sheepgen.options import DeviceOptions

        console = error_console(quiet=quiet or progress_json)
        width, height = read_size(size, width, height)
        prompt = None if prompt is None else read_prompt(prompt)
        recorded, environment = _read(
            Path(image),
            model,
            console,
            fetch=fetch,
            prompt=prompt,
            seed=0 if seed == RANDOM_SEED else seed,
        )
        varied = variation_strength and variation_seed is None and recorded.variation_seed is None
        seeds = {
            "seed": seed,
            "variation_seed": RANDOM_SEED if varied else variation_seed,
        }
        random = {name: draw_seed() for name, given in seeds.items() if given == RANDOM_SEED}
        changes = {
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            **seeds,
            **random,
            "variation_strength": variation_strength,
            "num_inference_steps": steps,
            "guidance_scale": guidance,
            "guidance_rescale": guidance_rescale,
            "eta": eta,
            "width": width,
            "height": height,
            "scheduler": scheduler,
        }
        given = {name: value for name, value in changes.items() if value is not None}

        def remarks(plan: RunPlan) -> Iterator[str]:
            for name, drawn in random.items():
                yield f"Using random {name.replace('_', ' ')} {drawn}."
            if environment is not None and plan.spec.sha256 != environment.model_sha256:
                yield (
                    f"{plan.spec.name} has other weights here than the image was made with: "
                    "expect another picture."
                )

        carry_out(
            replace(recorded, **given),  # type: ignore[arg-type]
            RunOptions(
                count=count,
                computing=DeviceOptions(
                    device=device,
                    dtype=dtype or (environment.dtype if environment else "auto"),
                    batch_size=read_batch_size(batch_size),
                ),
                output=output,
                frames=frames,
                frame_decoder=frame_decoder,
                overwrite=overwrite,
                strict=strict,
                offline=offline,
                dry_run=dry_run,
                json=json,
                progress_json=progress_json,
                verbose=verbose,
            ),
            console,
            # A model that the user has not named is never fetched in silence.
            download=downloader(error_console(quiet=quiet and model is not None)),
            remarks=remarks,
        )


def _read(
    path: Path,
    model: str | None,
    console: Console,
    *,
    fetch: bool,
    prompt: str | None,
    seed: int | None,
) -> tuple[GenerationRequest, Environment | None]:
    """Return what an image asks for, its model replaced by one that is safe to find.

    Args:
        path: Of the image.
        model: As given; None for the image's own.
        console: For notes on what could not be read.
        fetch: Whether the image's own model may be fetched.
        prompt: As given; another program's image may name none.
        seed: Likewise.

    Returns:
        The request, and where the image was made if it says so.
    """
    from sheepgen.cli.foreign import note_not_mapped, recipe_in
    from sheepgen.metadata.image_file import record_in
    from sheepgen.metadata.image_texts import read_texts
    from sheepgen.request import EMBEDDED_MODEL
    from sheepgen.verify.recorded_model import recorded_model

    texts = read_texts(path)
    record = record_in(texts, path)
    if record is not None:
        found = recorded_model(record, fetch=fetch) if model is None else model
        name = found if isinstance(found, str) else found.name
        return replace(record.request, model=name), record.environment
    recipe = recipe_in(texts, path)
    request = recipe.request(model=model or EMBEDDED_MODEL, prompt=prompt, seed=seed)
    note_not_mapped(console, recipe)
    return request, None
