from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from PIL.PngImagePlugin import PngInfo

from sheepgen.metadata.image_file import encode_image, read_record
from sheepgen.metadata.record_json import to_json
from sheepgen.models.added.places import LABELS
from sheepgen.request import EMBEDDED_MODEL
from tests.models.hub.conftest import REPO, hub  # noqa: F401 - a fixture
from tests.models.hub.fake_hub import COMMIT, FakeHub
from tests.samples import records, sample_image, sample_record
from tests.tiny import save_tiny_model

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord
    from tests.cli.conftest import Run, Typed

PARAMETERS = """a red sheep
Negative prompt: fog
Steps: 4, Sampler: Euler a, CFG scale: 5, Seed: 9, Size: 32x24, Model: dreams, RNG: CPU"""


def write(record: ImageRecord, name: str = "x.png") -> None:
    Path(name).write_bytes(encode_image(sample_image(), record, ".png"))


def write_foreign(name: str = "x.png", parameters: str = PARAMETERS) -> None:
    texts = PngInfo()
    texts.add_text("parameters", parameters)
    sample_image().save(name, pnginfo=texts)


@settings(max_examples=40)
@given(record=records.filter(lambda record: record.request.image is None))
def test_nothing_is_lost(typed: Typed, record: ImageRecord) -> None:
    environment = replace(record.environment, dtype="fp32")
    # What is added to a model has to be here, as in `tests.cli.test_adapters`.
    changes: dict[str, Any] = {"model": EMBEDDED_MODEL, "variant": "", "lora_autov3": None}
    for name in LABELS:
        changes |= {name: "", f"{name}_sha256": None}
    request = replace(record.request, **changes)
    write(replace(record, request=request, environment=environment))
    assert typed("rerun", "x.png") == request


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["--prompt", "a goat"], {"prompt": "a goat"}),
        (["--blend", "a goat, fog:-.5"], {"blend": "a goat:1, fog:-0.5", "prompt": ""}),
        (["-n", ""], {"negative_prompt": ""}),
        (["--seed", "0"], {"seed": 0}),
        (["--variation-seed", "4"], {"variation_seed": 4}),
        (["--variation-strength", "0"], {"variation_strength": 0.0}),
        (["--steps", "40"], {"num_inference_steps": 40}),
        (["-g", "1"], {"guidance_scale": 1.0}),
        (["--guidance-rescale", "0"], {"guidance_rescale": 0.0}),
        (["--eta", "0"], {"eta": 0.0}),
        (["-W", "64"], {"width": 64}),
        (["-H", "64"], {"height": 64}),
        (["--size", "64x48"], {"width": 64, "height": 48}),
        (["--sampler", "Euler a"], {"scheduler": "euler_a"}),
        (["--model", "org/name"], {"model": "org/name"}),
    ],
)
def test_what_is_given_wins(typed: Typed, words: list[str], changes: dict[str, Any]) -> None:
    record = sample_record(
        negative_prompt="fog",
        variation_seed=5,
        variation_strength=0.5,
        guidance_rescale=0.25,
        eta=0.75,
    )
    write(record)
    assert typed("rerun", "x.png", *words) == replace(record.request, **changes)


def test_a_prompt_may_come_from_a_pipe(typed: Typed) -> None:
    write(sample_record())
    assert typed("rerun", "x.png", "--prompt", "-", stdin="a goat\n").prompt == "a goat"


def test_a_variation_of_an_image_that_has_none_draws_its_seed(run: Run, tiny_folder: Path) -> None:
    write(sample_record())
    result = run(
        *("rerun", "x.png", "--variation-strength", "0.2", "--model", str(tiny_folder)),
        *("--device", "cpu", "-o", "y.png", "--frames", "none"),
    )
    request = read_record(Path("y.png")).request
    assert request.variation_strength == 0.2
    assert f"Using random variation seed {request.variation_seed}." in result.stderr
    assert "differ from those that the image was generated with" in result.stderr


def test_a_seed_of_minus_one_is_another_one(run: Run, tiny_folder: Path) -> None:
    write(sample_record(seed=42))
    result = run(
        *("rerun", "x.png", "--seed", "-1", "--model", str(tiny_folder), "--device", "cpu"),
        *("-o", "y.png", "--frames", "none"),
    )
    request = read_record(Path("y.png")).request
    assert request.seed not in (42, -1)
    assert f"Using random seed {request.seed}." in result.stderr


def test_an_image_made_again_is_the_same_file(run: Run, tiny_folder: Path) -> None:
    drawn = ("--model", str(tiny_folder), "--device", "cpu", "--steps", "2", "--dtype", "bf16")
    first = run("sheep", "-s", "3", "--frames", "none", *drawn)
    result = run("rerun", "outputs/sheep_3.png", "--device", "cpu")
    assert first.stdout == "outputs/sheep_3.png\n"
    assert result.stdout == "outputs/sheep_3_2.png\n"
    assert Path("outputs/sheep_3_2.png").read_bytes() == Path("outputs/sheep_3.png").read_bytes()
    assert read_record(Path("outputs/sheep_3_2.png")).environment.dtype == "bf16"
    assert "weights" not in result.stderr


def test_a_dry_run_tells_the_plan(run: Run, tiny_folder: Path) -> None:
    write(sample_record(model="anywhere"))
    result = run("rerun", "x.png", "--dry-run", "--model", str(tiny_folder), "-c", "2")
    assert result.exit_code == 0
    assert "outputs/a-red-sheep_42.png" in result.stdout
    assert "outputs/a-red-sheep_43.png" in result.stdout
    assert not Path("outputs").exists()


def test_a_folder_with_other_weights_is_not_loaded(run: Run, tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model", seed=1)
    write(sample_record(model=str(folder)))
    result = run("rerun", "x.png")
    assert result.exit_code == 1
    assert "are not those the image was generated with" in result.stderr
    assert "--model" in result.stderr


def test_a_model_of_the_hub_is_fetched_by_its_commit_when_asked_and_never_in_silence(
    run: Run,
    hub: FakeHub,  # noqa: F811
) -> None:
    record = sample_record(model=REPO)
    write(replace(record, environment=replace(record.environment, model_revision=COMMIT)))
    for words in ((), ("--dry-run",)):
        refused = run("rerun", "x.png", *words)
        assert refused.exit_code == 1
        assert f"{REPO} at commit {COMMIT}, which is not in the cache" in refused.stderr
        assert "--fetch" in refused.stderr
    assert hub.requests == []
    told = run("rerun", "x.png", "--dry-run", "--fetch")
    assert told.exit_code == 0
    assert "to download" in told.stdout
    drawn = ("--device", "cpu", "--frames", "none")
    result = run("rerun", "x.png", "-q", "--fetch", *drawn, "-o", "y.png")
    assert result.exit_code == 0
    assert f"Downloading {REPO}" in result.stderr
    assert read_record(Path("y.png")).request.model == f"{REPO}@{COMMIT}"


def test_other_programs_parameters_count_where_there_is_no_record(typed: Typed) -> None:
    write_foreign()
    request = typed("rerun", "x.png", "--steps", "5")
    assert (request.prompt, request.negative_prompt) == ("a red sheep", "fog")
    assert (request.seed, request.num_inference_steps) == (9, 5)
    assert (request.scheduler, request.width, request.height) == ("euler_a", 32, 24)
    assert request.model == EMBEDDED_MODEL
    assert typed("rerun", "x.png", "--model", "org/name").model == "org/name"


def test_what_an_image_does_not_name_has_to_be_given(run: Run, typed: Typed) -> None:
    for missing, parameters, words in (
        ("seed", "a red sheep\nSteps: 4, Sampler: Euler a", ("--seed", "3")),
        ("prompt", "Steps: 4, Sampler: Euler a, Seed: 3", ("--prompt", "a red sheep")),
    ):
        write_foreign(parameters=parameters)
        result = run("rerun", "x.png")
        assert result.exit_code == 1
        assert f"The image has no {missing}." in result.stderr
        assert f"--{missing}" in result.stderr
        request = typed("rerun", "x.png", *words)
        assert (request.prompt, request.seed) == ("a red sheep", 3)


def test_what_could_not_be_mapped_is_said(run: Run, tiny_folder: Path) -> None:
    write_foreign()
    result = run("rerun", "x.png", "--dry-run", "--model", str(tiny_folder))
    assert result.exit_code == 0
    assert "Not mapped: Model: dreams" in result.stderr


def test_an_image_that_says_nothing_is_an_error(run: Run) -> None:
    sample_image().save("x.png")
    result = run("rerun", "x.png")
    assert result.exit_code == 1
    assert "has no record and no parameters" in result.stderr


def test_a_strangers_words_are_checked(run: Run) -> None:
    record = sample_record()
    write(replace(record, environment=replace(record.environment, dtype="\x1b[2J")))
    result = run("rerun", "x.png")
    assert result.exit_code == 2
    assert 'Unknown dtype "[2J".' in result.stderr
    texts = PngInfo()
    texts.add_text("sheepgen", to_json(record).replace('"seed":42', '"seed":-1'))
    sample_image().save("y.png", pnginfo=texts)
    assert run("rerun", "y.png").exit_code == 1
