"""What is set in ``config.toml`` and in variables, in each command that reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.metadata.image_file import encode_image, read_record
from tests.lora import save_lora
from tests.samples import sample_image, sample_record

if TYPE_CHECKING:
    from tests.cli.conftest import Configure, Run, Typed

DREAMY = """
[models.dreamy]
model = "org/name@main"
steps = 30
size = "64x32"
negative_prompt = "blurry"
"""


def planned(run: Run, *words: str, stdin: str | None = None) -> dict[str, Any]:
    """Return what ``--dry-run --json`` prints."""
    result = run(*words, "--dry-run", "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    plan: dict[str, Any] = json.loads(result.stdout)
    return plan


def test_what_is_given_on_the_command_line_comes_first_and_the_file_last(
    typed: Typed, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("steps = 5\nguidance = 2\neta = 1\nscheduler = 'euler'\nseed = 4\n" + DREAMY)
    monkeypatch.setenv("SHEEPGEN_STEPS", "6")
    monkeypatch.setenv("SHEEPGEN_GUIDANCE", "3")
    request = typed("x", "-g", "4")
    assert (request.num_inference_steps, request.guidance_scale) == (6, 4)
    assert (request.eta, request.scheduler, request.seed) == (1, "euler", 4)
    request = typed("x", "--model", "dreamy", "--scheduler", "ddim")
    assert (request.model, request.num_inference_steps) == ("org/name@main", 30)
    assert (request.guidance_scale, request.scheduler) == (3, "ddim")
    assert (request.width, request.height, request.negative_prompt) == (64, 32, "blurry")
    assert typed("x", "--model", "dreamy", "--steps", "1").num_inference_steps == 1


def test_a_default_that_is_typed_counts_as_given(typed: Typed, configure: Configure) -> None:
    configure("eta = 1\nmodel = 'dreamy'\n" + DREAMY)
    assert typed("x").model == "org/name@main"
    request = typed("x", "--eta", "0", "--model", "sheepgen", "-n", "")
    assert (request.eta, request.model, request.negative_prompt) == (0, "sheepgen", "")
    assert request.num_inference_steps is None


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("", (64, 32)),
        ("-W 128", (128, 32)),
        ("-H 128", (64, 128)),
        ("--size 16x16", (16, 16)),
    ],
)
def test_sides_are_taken_one_by_one(
    typed: Typed, configure: Configure, words: str, size: tuple[int, int]
) -> None:
    configure("height = 512\n" + DREAMY)
    request = typed("x", "-m", "dreamy", *words.split())
    assert (request.width, request.height) == size


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("num_inference_steps = 3", "num_inference_steps", 3),
        ("cfg-scale = 3", "guidance_scale", 3.0),
        ("sampler = 'DPM++ 2M Karras'", "scheduler", "dpmpp_2m_karras"),
        ("negative-prompt = 'a, b'", "negative_prompt", "a, b"),
        ("size = '64x32'", "width", 64),
        ("seed = 18446744073709551615", "seed", 2**64 - 1),
        ("steps = '3'", "num_inference_steps", 3),
        ("model = 'sdxl'", "model", "stabilityai/stable-diffusion-xl-base-1.0"),
    ],
)
def test_keys_are_spelled_as_options_are(
    typed: Typed, configure: Configure, written: str, field: str, value: object
) -> None:
    configure(written)
    assert getattr(typed("x"), field) == value


def test_variables_are_spelled_as_options_are(
    run: Run, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"CFG_SCALE": "3", "SIZE": "64x32", "LORA": "a:0.5,b", "ETA": ""}.items():
        monkeypatch.setenv(f"SHEEPGEN_{name}", text)
    request = typed("x")
    assert (request.guidance_scale, request.height, request.eta) == (3, 32, 0)
    assert request.lora == "a:0.5,b"
    monkeypatch.setenv("SHEEPGEN_WIDTH", "64")
    result = run("x")
    assert result.exit_code == 2
    assert "SHEEPGEN_WIDTH: width is set twice.\nIt is also in SHEEPGEN_SIZE." in result.stderr


def test_a_variable_that_is_no_setting_is_noted_once(
    run: Run, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("model = 'nothing'")
    monkeypatch.setenv("SHEEPGEN_STPES", "3")
    note = "SHEEPGEN_STPES is not a setting. Did you mean SHEEPGEN_STEPS?\n"
    assert run("x").stderr.startswith(note)
    assert run("x").stderr.count("STPES") == 1
    assert "STPES" not in run("x", "-q").stderr
    assert note in run("config").stderr
    assert run("schedulers").stderr == ""


def test_an_image_of_a_preset_is_verified_without_it(
    run: Run, tiny_folder: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = configure(
        "device = 'cpu'\nframes = 'none'\nsteps = 1\n"
        "[models.inky]\nmodel = 'tiny'\nlora = ['ink:0.5', 'more/detail.safetensors']\nsteps = 2\n"
        "[loras]\nink = './more/ink.safetensors'\n"
    )
    (folder / "tiny").symlink_to(tiny_folder)
    for name in ("ink", "detail"):
        save_lora(tiny_folder, folder / "more" / f"{name}.safetensors", seed=len(name))
    result = run("a red sheep", "-m", "inky", "-s", "3", "-o", "x.png")
    assert result.exit_code == 0, result.output
    request = read_record(Path("x.png")).request
    assert request.model == str(folder / "tiny")
    assert request.lora == (f"{folder}/more/ink.safetensors:0.5,{folder}/more/detail.safetensors")
    assert request.num_inference_steps == 2
    assert not Path("x_filmstrip.png").exists()
    again = run(
        "a red sheep", "-m", str(tiny_folder), "-s", "3", "-o", "y.png", "--lora", "ink:0.5"
    )
    assert again.exit_code == 0, again.output
    assert read_record(Path("y.png")).request.lora == f"{folder}/more/ink.safetensors:0.5"
    monkeypatch.setenv("SHEEPGEN_CONFIG", "")
    assert run("verify", "x.png", "y.png").stdout == "x.png: equal\ny.png: equal\n"


def test_a_sweep_takes_one_value_of_each_and_several_presets(
    run: Run, tiny_folder: Path, configure: Configure
) -> None:
    configure(
        f"output = 'pics/'\nsteps = 2\nheight = 32\nmodel = 'fine'\n"
        f"[models.fine]\nmodel = '{tiny_folder}'\nguidance = 2\nnegative_prompt = '{{a|b}}, c'\n"
        f"[models.sdxl]\nmodel = '{tiny_folder}'\nguidance = 3\nsize = '64x64'\n"
    )
    plan = planned(run, "sweep", "a sheep", "--seeds", "1")
    assert plan["folder"] == "outputs/a-sheep_sweep"
    (request,) = (image["request"] for image in plan["images"])
    assert (request["model"], request["num_inference_steps"]) == (str(tiny_folder), 2)
    assert (request["negative_prompt"], request["height"]) == ("{a|b}, c", 32)
    plan = planned(run, "sweep", "a sheep", "--seeds", "1", "-m", "fine,sdxl", "--steps", "1,3")
    asked = [image["request"] for image in plan["images"]]
    assert [
        (each["guidance_scale"], each["height"], each["num_inference_steps"]) for each in asked
    ] == [(2, 32, 1), (2, 32, 3), (3, 64, 1), (3, 64, 3)]
    assert plan["plan"]["axes"][0] == {"name": "model", "values": ["fine", "sdxl"]}
    assert len({image["path"] for image in plan["images"]}) == 4
    (plan,) = planned(run, "sweep", "a sheep", "--seeds", "1", "--size", "16x16")["images"]
    assert (plan["request"]["width"], plan["request"]["height"]) == (16, 16)


def test_jobs_of_a_batch_may_name_presets(
    run: Run, tiny_folder: Path, configure: Configure
) -> None:
    folder = configure(
        f"model = 'fine'\nstrength = 0.3\n[models.fine]\nmodel = '{tiny_folder}'\nguidance = 2\n"
        f"steps = 9\n[models.wide]\nmodel = '{tiny_folder}'\nlora = 'ink:0.5'\nwidth = 64\n"
        "steps = 8\n[loras]\nink = 'ink.safetensors'\n"
    )
    save_lora(tiny_folder, folder / "ink.safetensors")
    jobs = (
        {"prompt": "a"},
        {"prompt": "a", "model": "wide"},
        {"prompt": "a", "model": "wide", "steps": 7, "lora": "ink:0.25"},
        {"prompt": "a", "model": str(tiny_folder)},
    )
    result = run("batch", "--eta", "0.5", "--dry-run", stdin="\n".join(map(json.dumps, jobs)))
    assert result.exit_code == 0, result.output
    made = [json.loads(line)["request"] for line in result.stdout.splitlines()]
    assert {each["model"] for each in made} == {str(tiny_folder)}
    assert [each["num_inference_steps"] for each in made[:3]] == [9, 8, 7]
    assert [each["lora"].rpartition("/")[2] for each in made] == [
        "",
        "ink.safetensors:0.5",
        "ink.safetensors:0.25",
        "",
    ]
    assert made[0]["guidance_scale"] == 2
    assert made[3]["guidance_scale"] != 2
    assert {each["eta"] for each in made} == {0.5}
    typed = run("batch", "--steps", "3", "--dry-run", stdin='{"prompt": "a", "model": "wide"}')
    assert json.loads(typed.stdout)["request"]["num_inference_steps"] == 3


def test_what_repeats_an_image_reads_options_of_the_run_alone(
    run: Run, tiny_folder: Path, configure: Configure
) -> None:
    configure("steps = 99\ndtype = 'bf16'\ncount = 3\nframes = 'none'\noutput = 'again/'\n")
    Path("x.png").write_bytes(encode_image(sample_image(), sample_record(), ".png"))
    recorded = sample_record().request
    plan = planned(run, "rerun", "x.png", "-m", str(tiny_folder), "--size", "16x16")
    (image,) = plan["images"]
    assert image["path"].startswith("again/")
    assert image["request"]["num_inference_steps"] == recorded.num_inference_steps
    configure(f"[models.fine]\nmodel = '{tiny_folder}'\nsteps = 3\n")
    (image,) = planned(run, "rerun", "x.png", "-m", "fine", "--size", "16x16")["images"]
    assert image["request"]["model"] == str(tiny_folder)
    assert image["request"]["num_inference_steps"] == 3


def test_what_is_about_a_picture_waits_for_one(typed: Typed, configure: Configure) -> None:
    configure("strength = 0.3\nfit = 'pad'\n[models.soft]\nmodel = 'org/name'\nstrength = 0.2\n")
    assert typed("x").strength is None
    assert typed("x", "-m", "soft").strength is None
    request = typed("x", "--image", "a.png")
    assert (request.strength, request.fit) == (0.3, "pad")
    assert typed("x", "-m", "soft", "--image", "a.png").strength == 0.2


def test_a_setting_without_effect_is_said_as_an_option_is(
    run: Run, tiny_folder: Path, configure: Configure
) -> None:
    configure("guidance = 1\nnegative_prompt = 'blue'\n")
    plan = planned(run, "a sheep", "-m", str(tiny_folder))
    assert any("negative prompt has no effect" in text for text in plan["warnings"])


def test_an_explanation_reads_the_settings_of_an_image(typed: Typed, configure: Configure) -> None:
    configure("steps = 5\nframes = 'all'\nmodel = 'dreamy'\n" + DREAMY)
    request = typed("explain", "a fox", "-g", "4")
    assert (request.model, request.num_inference_steps) == ("org/name@main", 30)
    assert (request.guidance_scale, request.negative_prompt) == (4, "blurry")


def test_switches_go_on_in_the_file_and_off_in_a_variable(
    run: Run, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("quiet = true\nstrict = true")
    result = run("a fox, cyberpunk", "--dry-run")
    assert result.exit_code == 2
    assert "cyberpunk" in result.stderr
    monkeypatch.setenv("SHEEPGEN_STRICT", "off")
    assert run("a fox, cyberpunk", "--dry-run").exit_code == 0
    monkeypatch.setenv("SHEEPGEN_STRICT", "perhaps")
    result = run("a fox", "--dry-run")
    assert result.exit_code == 2
    assert "SHEEPGEN_STRICT: strict must be true or false, got perhaps." in result.stderr


def test_a_folder_of_the_file_is_not_one_of_the_command_line(
    typed: Typed, configure: Configure
) -> None:
    folder = configure(
        "embedding = ['a.safetensors', '/b.safetensors']\nvae = '~/vae'\nimage = 'p.png'\n"
        "mask = 'm.png'\nmodel = 'models/mine'\n[models.dreamy]\nmodel = './m'\n"
    )
    (folder / "models/mine").mkdir(parents=True)
    Path("dreamy").mkdir()
    request = typed("x")
    assert request.embedding == f"{folder}/a.safetensors,/b.safetensors"
    assert request.vae == "~/vae"
    assert (request.image, request.mask) == (f"{folder}/p.png", f"{folder}/m.png")
    assert request.model == f"{folder}/models/mine"
    assert typed("x", "-m", "dreamy").model == f"{folder}/m"
    assert typed("x", "-m", "./dreamy").model == "./dreamy"
    assert typed("x", "-m", "sheepgen").model == "sheepgen"


def test_a_name_on_the_hub_is_not_a_path(typed: Typed, configure: Configure) -> None:
    folder = configure(
        "model = 'org/name'\nvae = 'org/vae@main'\nembedding = 'org/words/fuzzy.safetensors'\n"
        "lora = ['org/ink:0.5', 'here/pen', 'pen.safetensors', 'more']\n"
        "[loras]\nmore = 'org/more'\n"
    )
    (folder / "here").mkdir()
    request = typed("x")
    assert (request.model, request.vae) == ("org/name", "org/vae@main")
    assert request.embedding == "org/words/fuzzy.safetensors"
    assert request.lora == f"org/ink:0.5,{folder}/here/pen,{folder}/pen.safetensors,org/more"


def test_prompts_name_loras_of_the_file_in_every_command(
    run: Run, tiny_folder: Path, configure: Configure
) -> None:
    folder = configure(
        f"prompt_syntax = 'a1111'\nmodel = '{tiny_folder}'\ndevice = 'cpu'\n"
        "[loras]\nink = 'ink.safetensors'\npen = 'pen.safetensors'\n"
    )
    for name, seed in (("ink", 5), ("pen", 6)):
        save_lora(tiny_folder, folder / f"{name}.safetensors", seed=seed)
    ink, pen = f"{folder}/ink.safetensors:0.5", f"{folder}/pen.safetensors:2"
    words = ("-s", "3", "--steps", "1", "--frames", "none")
    made = run("a sheep <lora:ink:0.5>", *words, "-o", "x.png", "--lora", "pen:2")
    assert made.exit_code == 0, made.output
    request = read_record(Path("x.png")).request
    assert (request.prompt, request.lora) == ("a sheep", f"{pen},{ink}")
    assert run("verify", "x.png").stdout == "x.png: equal\n"
    plan = planned(run, "sweep", "a {sheep <lora:ink:0.5>|goat <lora:pen:2>|cow}", "-s", "1")
    asked = [image["request"] for image in plan["images"]]
    assert [(each["prompt"], each["lora"]) for each in asked] == [
        ("a sheep", ink),
        ("a goat", pen),
        ("a cow", ""),
    ]
    job = json.dumps({"prompt": "a <lora:ink:0.5>", "negative_prompt": "<lora:pen:2>", "lora": ""})
    result = run("batch", "--dry-run", stdin=job)
    assert json.loads(result.stdout)["request"]["lora"] == f"{ink},{pen}"
    result = run("a sheep <lora:inkk:1>")
    assert result.exit_code == 2
    assert 'Unknown LoRA "inkk".\nKnown: ink, pen.' in result.stderr


def test_an_image_does_not_say_whose_home_its_model_is_in(
    run: Run, tiny_folder: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = configure("[models.inky]\nmodel = 'tiny'\nlora = './ink.safetensors:0.5'\n")
    monkeypatch.setenv("HOME", str(folder.parent))
    (folder / "tiny").symlink_to(tiny_folder)
    save_lora(tiny_folder, folder / "ink.safetensors")
    words = ("-s", "3", "--steps", "1", "--frames", "none", "--device", "cpu")
    made = run("a sheep", "-m", "inky", *words, "-o", "x.png")
    assert made.exit_code == 0, made.output
    request = read_record(Path("x.png")).request
    assert request.model == f"~/{folder.name}/tiny"
    assert request.lora == f"~/{folder.name}/ink.safetensors:0.5"
    assert run("verify", "x.png").stdout == "x.png: equal\n"
