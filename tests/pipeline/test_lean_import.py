"""diffusers imported alone draws the same, and everything else can still be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sheepgen import GenerationRequest, generate, load_model

ROOT = Path(__file__).parents[2]

OPTIONAL = ["accelerate", "peft", "scipy", "torch._dynamo", "transformers"]
"""What diffusers imports where it is installed."""

REQUEST: dict[str, Any] = {
    "prompt": "a sheep",
    "seed": 3,
    "num_inference_steps": 4,
    "width": 64,
    "height": 64,
}

START = """
import json, sys
from importlib import import_module
import torch
from sheepgen.pipeline.lean_import import import_diffusers_alone

disable = torch.compiler.disable
import_diffusers_alone()
"""

DRAW = """
from sheepgen import GenerationRequest, find_model, generate, load_model
from sheepgen.pipeline.loading import check_schedule
from sheepgen.schedulers import SCHEDULERS

request, optional = json.loads(sys.argv[1]), json.loads(sys.argv[2])
spec = find_model("sheepgen")
for name, scheduler in SCHEDULERS.items():
    if scheduler.class_name != "LMSDiscreteScheduler":
        check_schedule(spec, spec.resolve(GenerationRequest(**request, scheduler=name)))
image = generate(load_model(spec), GenerationRequest(**request))
imported = [name for name in optional if name in sys.modules]
later = [import_module(name).__name__ for name in optional]
print(json.dumps([image.tobytes().hex(), imported, later, torch.compiler.disable is disable]))
"""


def run(code: str, *words: str, path: Path = ROOT) -> Any:
    result = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "PYTHONPATH": f"{path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


def test_an_image_is_the_same_without_what_diffusers_can_do_without() -> None:
    drawn, imported, later, is_restored = run(
        START + DRAW, json.dumps(REQUEST), json.dumps(OPTIONAL)
    )
    image = generate(load_model("sheepgen"), GenerationRequest(**REQUEST))
    assert drawn == image.tobytes().hex()
    assert imported == []
    assert later == OPTIONAL
    assert is_restored


def test_a_diffusers_that_depends_on_more_gets_all(tmp_path: Path) -> None:
    (tmp_path / "diffusers").mkdir()
    (tmp_path / "diffusers" / "__init__.py").write_text(
        "import diffusers.found\nimport torch._dynamo\nimport scipy\n"
        "class ModelMixin: ...\nclass UNet2DConditionModel: ...\n"
    )
    (tmp_path / "diffusers" / "found.py").write_text(
        "try:\n    import scipy\nexcept ImportError:\n    scipy = None\n"
    )
    code = f"""{START}
import diffusers
print(json.dumps([diffusers.__file__, diffusers.found.scipy is not None]))
"""
    assert run(code, path=tmp_path) == [str(tmp_path / "diffusers" / "__init__.py"), True]
