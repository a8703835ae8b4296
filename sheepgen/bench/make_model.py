"""Write a diffusers folder of real size with random weights.

    python -m sheepgen.bench.make_model NAME FOLDER

The weights are those that the libraries' classes have before training, under a fixed seed. torch
scales them by the width of each layer and the networks normalise in between, so activations keep
the size of a trained network's, at bfloat16 too, through any number of steps. What is drawn is
texture without meaning; what it costs is what the real model costs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import diffusers
import torch
import transformers
from transformers import CLIPTokenizer, T5Tokenizer

from sheepgen.bench.geometries import GEOMETRIES
from sheepgen.pipeline.single_file import clip_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.bench.geometries import Geometry
    from sheepgen.bench.work import ModelName

__all__ = ["build_network", "save_geometry"]

SEED = 0

_CLIP_LENGTH = {"model_max_length": 77}


def build_network(class_name: str, config: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return a network of diffusers or transformers; ``torch.device`` decides where it is."""
    if hasattr(diffusers, class_name):
        return getattr(diffusers, class_name)(**config)
    network_class = getattr(transformers, class_name)
    return network_class(network_class.config_class(**config))


def save_geometry(geometry: Geometry, folder: Path) -> None:
    """Write a model; one component after another, so that the largest decides the memory."""
    index: dict[str, Any] = {"_class_name": geometry.pipeline}
    if geometry.pipeline == "StableDiffusionPipeline":
        index |= {"safety_checker": [None, None], "feature_extractor": [None, None]}
        index["requires_safety_checker"] = False
    dtype = getattr(torch, geometry.dtype)
    for component, (class_name, config) in geometry.networks.items():
        torch.manual_seed(SEED)
        network = build_network(class_name, config).to(dtype)
        network.save_pretrained(folder / component)
        library = diffusers if hasattr(diffusers, class_name) else transformers
        index[component] = [library.__name__, class_name]
        del network
    for component, kind in geometry.tokenizers.items():
        tokenizer = _tokenizer(kind)
        tokenizer.save_pretrained(folder / component)
        index[component] = ["transformers", type(tokenizer).__name__]
    class_name, config = geometry.scheduler
    getattr(diffusers, class_name)(**config).save_config(folder / "scheduler")
    index["scheduler"] = ["diffusers", class_name]
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")


def _tokenizer(kind: str) -> Any:  # noqa: ANN401
    if kind == "clip":
        return clip_tokenizer(CLIPTokenizer, _CLIP_LENGTH)
    letters = [(chr(letter), -3.0) for letter in range(ord("a"), ord("z") + 1)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *letters]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


if __name__ == "__main__":
    save_geometry(GEOMETRIES[cast("ModelName", sys.argv[1])], Path(sys.argv[2]))
