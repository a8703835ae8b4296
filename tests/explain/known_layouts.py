# ruff: noqa: T201 - a program
"""Measure how far heat maps, what words cause, and where things are agree: not a test.

    python -m tests.explain.known_layouts .icons

Fifty prompts of the evaluation table become scenes whose layout is known, as training paints them.
The installed model starts from the painted scene, at a strength at which things stay where they
are, once as it is and once without each thing's tokens. The icons are npm packages, which are
installed into the folder that is given.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import torch

from sheepgen.explain.agreement import agreement, share_inside
from sheepgen.explain.heat import difference_map
from sheepgen.pipeline.attention_maps import record_attention
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate
from sheepgen.pipeline.token_groups import token_groups
from sheepgen.request import GenerationRequest
from sheepgen.training.data.icon_sets import NPM_PACKAGES
from sheepgen.training.data.icons import NpmIconStore
from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.data.segmentation import class_map
from sheepgen.training.evaluation.attributes import concept_classes
from sheepgen.training.evaluation.prompts import prompt_groups
from sheepgen.training.fetch import fetch_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from sheepgen.embedded.family import EmbeddedModel
    from sheepgen.training.data.scene import Scene

GROUPS = (
    "single things",
    "next to, held out",
    "on top, held out",
    "riding, held out",
    "wearing, held out",
)
PROMPTS_A_GROUP = 10
STRENGTH = 0.6


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One thing of one prompt.

    Args:
        heat: Attention to its word, (32, 32).
        cause: How much the image differs without its tokens, likewise.
        mask: Where it is.
    """

    heat: Tensor
    cause: Tensor
    mask: Tensor

    def numbers(self) -> dict[str, float]:
        mask = self.mask.float()
        area = int(self.mask.sum())
        found: dict[str, float] = {"area of the thing": area / self.mask.numel()}
        for name, values in (("attention", self.heat), ("cause", self.cause)):
            strongest = values.flatten().topk(area).indices
            hit = int(self.mask.flatten()[strongest].sum())
            found |= {
                f"{name}: mass on the thing": share_inside(values, self.mask),
                f"{name}: peak on the thing": float(self.mask.flatten()[int(values.argmax())]),
                f"{name}: correlation with the thing": agreement(values, mask).correlation or 0,
                f"{name}: IoU with the thing": hit / (2 * area - hit),
            }
        both = agreement(self.heat, self.cause)
        return found | {
            "attention and cause: correlation": both.correlation or 0,
            "attention and cause: IoU of the top fifth": both.overlap,
        }


def scenes() -> Iterator[tuple[str, str, Scene]]:
    """Yield the group, the prompt and the scene of each."""
    for group, prompts in prompt_groups(GROUPS).items():
        for seed, prompt in enumerate(prompts[:PROMPTS_A_GROUP]):
            yield group, prompt.text, replace(prompt.scene, layout_seed=seed)


def measure(model: EmbeddedModel, prompt: str, scene: Scene, icons: NpmIconStore) -> list[Measured]:
    classes = concept_classes()
    layout = torch.from_numpy(class_map(scene, icons))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scene.png"
        paint_scene(scene, icons, 256).save(path)
        request = GenerationRequest(prompt=prompt, seed=0, image=str(path), strength=STRENGTH)
        groups = token_groups(model, request)
        with record_attention(model, [groups]) as maps:
            image = generate(model, request)
        heats, found = maps.steps.mean()[0], []
        named = [(group, heat) for group, heat in zip(groups, heats, strict=True) if group.is_named]
        for (group, heat), thing in zip(named, scene.things, strict=False):
            if thing not in classes or not (mask := layout == classes.index(thing)).any():
                continue
            without = model.without_tokens(group.positions)
            cause = difference_map(image, generate(without, request), (32, 32))
            found.append(Measured(heat=heat, cause=cause, mask=mask))
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    icons = NpmIconStore(
        modules=fetch_packages(NPM_PACKAGES, folder / "packages"), folder=folder / "rendered"
    )
    model = cast("EmbeddedModel", load_model("sheepgen", device="cpu", dtype="fp32"))
    by_group: dict[str, list[dict[str, float]]] = {}
    for group, prompt, scene in scenes():
        numbers = [each.numbers() for each in measure(model, prompt, scene, icons)]
        for name in (group, "all"):
            by_group.setdefault(name, []).extend(numbers)
        print(f"{prompt}: {len(numbers)} things", file=sys.stderr)
    names = [name for name in by_group if name != "all"] + ["all"]
    print("", *names, sep="\t")
    print("things", *(len(by_group[name]) for name in names), sep="\t")
    for key in by_group["all"][0]:
        means = (fmean(numbers[key] for numbers in by_group[name]) for name in names)
        print(key, *(f"{mean:.3f}" for mean in means), sep="\t")


if __name__ == "__main__":
    main()
