"""What programs write into their images, and what hostile images write in their place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sd_parsers.parsers import ComfyUIParser, InvokeAIParser, NovelAIParser

from sheepgen.errors import OutputError
from sheepgen.metadata.image_texts import XMP, ImageTexts
from sheepgen.metadata.other_programs import find_parameters

if TYPE_CHECKING:
    from sheepgen.metadata.parsed_parameters import ParsedParameters


def read(texts: dict[str, str]) -> ParsedParameters | None:
    return find_parameters(ImageTexts(texts=texts))


COMFY: dict[str, dict[str, Any]] = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 77,
            "steps": 12,
            "cfg": 6.5,
            "sampler_name": "euler",
            "scheduler": "normal",
            "model": ["10", 0],
            "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dreams.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a ewe", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": ["8", 0], "clip": ["4", 1]}},
    "8": {"class_type": "PrimitiveString", "inputs": {"value": "fog"}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
    "10": {"class_type": "LoraLoader", "inputs": {"model": ["4", 0], "lora_name": "wool"}},
}

FLUX = {
    "1": {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {
            "noise": ["2", 0],
            "guider": ["3", 0],
            "sampler": ["4", 0],
            "sigmas": ["5", 0],
            "latent_image": ["6", 0],
        },
    },
    "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 77}},
    "3": {"class_type": "BasicGuider", "inputs": {"conditioning": ["7", 0]}},
    "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
    "5": {"class_type": "BasicScheduler", "inputs": {"steps": 12, "denoise": 1}},
    "6": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 512, "height": 768}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "a ewe"}},
}

INVOKE = {
    "app_version": "5.0",
    "positive_prompt": "a ewe",
    "negative_prompt": "fog",
    "seed": 77,
    "steps": 12,
    "cfg_scale": 6.5,
    "width": 512,
    "height": 768,
    "scheduler": "euler",
    "model": {"name": "dreams"},
}

PROGRAMS: dict[str, tuple[str, dict[str, str]]] = {
    "swarm": (
        "SwarmUI",
        {
            "parameters": json.dumps(
                {
                    "sui_image_params": {
                        "prompt": "a ewe",
                        "negativeprompt": "fog",
                        "seed": 77,
                        "steps": 12,
                        "cfgscale": 6.5,
                        "width": 512,
                        "height": 768,
                        "sampler": "euler",
                        "model": "dreams",
                    },
                    "sui_extra_data": {"date": "today"},
                }
            )
        },
    ),
    "fooocus": (
        "Fooocus",
        {
            "parameters": json.dumps(
                {
                    "prompt": "a ewe",
                    "negative_prompt": "fog",
                    "seed": "77",
                    "steps": 12,
                    "guidance_scale": 6.5,
                    "resolution": "(512, 768)",
                    "sampler": "euler",
                    "model": "dreams",
                    "version": "Fooocus v2.5.5",
                }
            )
        },
    ),
    "invoke": ("InvokeAI", {"invokeai_metadata": json.dumps(INVOKE)}),
    "invoke 2": (
        "InvokeAI",
        {
            "sd-metadata": json.dumps(
                {
                    "model": "stable diffusion",
                    "image": {
                        "prompt": [{"prompt": "a ewe", "weight": 1}],
                        "negative_prompt": "fog",
                        "steps": 12,
                        "cfg_scale": 6.5,
                        "seed": 77,
                        "width": 512,
                        "height": 768,
                        "sampler": "k_euler",
                        "model": "dreams",
                    },
                }
            )
        },
    ),
    "novel": (
        "NovelAI",
        {
            "Software": "NovelAI",
            "Description": "a ewe",
            "Comment": json.dumps(
                {
                    "uc": "fog",
                    "seed": 77,
                    "steps": 12,
                    "scale": 6.5,
                    "width": 512,
                    "height": 768,
                    "sampler": "k_euler",
                    "model": "dreams",
                }
            ),
        },
    ),
    "draw things": (
        "Draw Things",
        {
            XMP: "<x:xmpmeta><exif:UserComment><rdf:Alt><rdf:li xml:lang='x-default'>"
            "{&quot;c&quot;:&quot;a ewe&quot;,&quot;uc&quot;:&quot;fog&quot;,&quot;seed&quot;:77,"
            "&quot;steps&quot;:12,&quot;scale&quot;:6.5,&quot;size&quot;:&quot;512x768&quot;,"
            "&quot;sampler&quot;:&quot;Euler&quot;,&quot;model&quot;:&quot;dreams&quot;}"
            "</rdf:li></rdf:Alt></exif:UserComment></x:xmpmeta>"
        },
    ),
    "comfy": ("ComfyUI", {"prompt": json.dumps(COMFY), "workflow": "{}"}),
    "comfy in a WebP": ("ComfyUI", {"exif:Model": f"prompt:{json.dumps(COMFY)}"}),
}


@pytest.mark.parametrize(("program", "texts"), PROGRAMS.values(), ids=PROGRAMS)
def test_programs_are_named_and_their_settings_read(program: str, texts: dict[str, str]) -> None:
    recipe = read(texts)
    assert recipe is not None
    assert recipe.program == program
    assert recipe.settings == {
        "prompt": "a ewe",
        "negative_prompt": "fog",
        "seed": 77,
        "num_inference_steps": 12,
        "guidance_scale": 6.5,
        "width": 512,
        "height": 768,
        "scheduler": "euler",
    }
    assert any(said.startswith("model: ") for said in recipe.not_mapped)


LORAS: dict[str, tuple[object, str]] = {
    "names": (["ink", "dots"], "ink, dots"),
    "pairs": ([["ink.safetensors", 0.8], ["dots", -1, "ab12"]], "ink.safetensors (0.8), dots (-1)"),
    "models": ([{"model": {"name": "ink"}, "weight": 0.8}], "ink (0.8)"),
    "older models": ([{"lora": {"model_name": "ink"}, "weight": 1}], "ink (1)"),
    "many": (["a"] * 99, f"{'a, ' * 20}and 79 more"),
    "a huge weight": ([["ink", 10**400]], "ink (10000000)"),
    "no names": ([1, None, {"a": []}, [[]]], "…"),
    "an object": ({"ink": 1}, "…"),
    "a text": ("ink", "ink"),
}


@pytest.mark.parametrize("name", LORAS)
def test_loras_are_named(name: str) -> None:
    loras, said = LORAS[name]

    recipe = read({"invokeai_metadata": json.dumps({**INVOKE, "loras": loras})})

    assert recipe is not None
    assert f"loras: {said}" in recipe.not_mapped


def test_loras_of_a_graph_are_named() -> None:
    recipe = read({"prompt": json.dumps(COMFY)})

    assert recipe is not None
    assert "loras: wool (1)" in recipe.not_mapped


def test_tags_that_name_networks_are_no_words() -> None:
    prompts = {"prompt": "a ewe <lora:ink:0.8>", "negativeprompt": "<lora:dots>", "seed": 7}

    recipe = read({"parameters": json.dumps({"sui_image_params": prompts})})

    assert recipe is not None
    assert recipe.settings == {"prompt": "a ewe", "seed": 7}
    assert {*recipe.not_mapped} == {"Prompt: <lora:ink:0.8>", "Negative prompt: <lora:dots>"}


def test_a_graph_of_many_nodes_is_followed_to_what_samples() -> None:
    recipe = read({"prompt": json.dumps(FLUX)})
    assert recipe is not None
    assert recipe.settings == {
        "prompt": "a ewe",
        "seed": 77,
        "num_inference_steps": 12,
        "width": 512,
        "height": 768,
        "scheduler": "euler",
    }


def plain_comfy() -> dict[str, str]:
    """Return the graph without the node that another parser does not know, and its links."""
    graph = {**COMFY, "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "fog"}}}
    links = [
        [0, source, 0, target, 0, "CONDITIONING"]
        for target, node in graph.items()
        for source, _ in (each for each in node["inputs"].values() if isinstance(each, list))
    ]
    return {"prompt": json.dumps(graph), "workflow": json.dumps({"links": links})}


@pytest.mark.parametrize(
    ("parser", "texts"),
    [
        (InvokeAIParser, PROGRAMS["invoke"][1]),
        (NovelAIParser, {**PROGRAMS["novel"][1], "Source": "Stable Diffusion 1234"}),
        (ComfyUIParser, plain_comfy()),
    ],
)
def test_another_parser_agrees(parser: type[Any], texts: dict[str, str]) -> None:
    theirs, ours = parser().parse(dict(texts)), read(texts)
    assert ours is not None
    assert ours.program == theirs.generator.value
    assert ours.settings["prompt"] == theirs.full_prompt
    assert ours.settings["negative_prompt"] == theirs.full_negative_prompt
    (sampler,) = theirs.samplers
    assert ours.settings["seed"] == sampler.parameters["seed"]
    assert ours.settings["guidance_scale"] == sampler.parameters["cfg_scale"]


def test_what_is_missing_or_odd_is_left_out() -> None:
    recipe = read(
        {"prompt": '{"3": {"class_type": "KSampler", "inputs": {"seed": 7, "steps": 1}}}'}
    )
    assert recipe is not None
    assert recipe.settings == {"seed": 7, "num_inference_steps": 1}
    odd = {"prompt": "a ewe", "seed": "many", "steps": True, "width": 1e400, "height": -1}
    recipe = read({"parameters": json.dumps(odd)})
    assert recipe is not None
    assert recipe.program is None
    assert recipe.settings == {"prompt": "a ewe"}
    assert recipe.not_mapped == ("seed: many", "steps: True", "width: inf", "height: -1")


def test_parameters_beside_a_graph_count() -> None:
    recipe = read({"prompt": json.dumps(COMFY), "parameters": "a goat\nSteps: 3, Seed: 4"})
    assert recipe is not None
    assert recipe.settings["prompt"] == "a goat"


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"Comment": "Created with GIMP"},
        {"exif:UserComment": "a nice day"},
        {"exif:Model": "A camera"},
        {"prompt": "a sheep"},
        {"prompt": '{"a": 1}'},
        {"Comment": "[1]"},
        {XMP: "<exif:UserComment>a nice day</exif:UserComment>"},
    ],
)
def test_other_words_are_passed_over(texts: dict[str, str]) -> None:
    assert read(texts) is None


def test_what_was_left_out_for_its_size_is_said() -> None:
    with pytest.raises(OutputError, match="'prompt' is too large"):
        find_parameters(ImageTexts(too_large={"prompt"}))
    assert find_parameters(ImageTexts(too_large={"notes"})) is None


def ring(size: int) -> dict[str, Any]:
    """Return a graph in which every node is linked to every other."""
    links = {f"in {node}": [str(node), 0] for node in range(size)}
    inputs = {"seed": 1, "steps": 1, "positive": ["0", 0], **links}
    node = {"class_type": "KSampler", "inputs": inputs}
    return {str(number): node for number in range(size)}


HOSTILE = {
    "deep": "[" * 500_000,
    "deep object": '{"a":' * 300_000,
    "long number": '{"seed": ' + "9" * 100_000 + "}",
    "many keys": json.dumps({"prompt": "x"} | {str(key): key for key in range(100_000)}),
    "ring": json.dumps(ring(150)),
    "chain": json.dumps(
        {
            str(node): {
                "class_type": "K",
                "inputs": {"seed": ["x", 0], "steps": 1, "positive": [str(node + 1), 0]},
            }
            for node in range(20_000)
        }
    ),
    "blanks": "{" + " " * 1_900_000 + "}",
    "xmp": "<exif:UserComment>" * 100_000,
    "xmp list": "<exif:UserComment><rdf:Alt><rdf:li" + " " * 1_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_take_no_longer_than_honest_ones(text: str) -> None:
    # Following every link from every node, or matching back and forth, would take hours.
    keys = ("parameters", "prompt", "Comment", "invokeai_metadata", "sd-metadata", XMP)
    for key in (*keys, "exif:UserComment", "exif:Model"):
        try:
            recipe = read({key: text})
        except OutputError:
            continue
        assert recipe is None or json.dumps(recipe.to_dict())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["prompt", "seed", "steps", "image", "inputs", "class_type", "c", "uc"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    key=st.sampled_from(["parameters", "prompt", "Comment", "invokeai_metadata", "sd-metadata"]),
    value=st.dictionaries(
        st.sampled_from(["1", "prompt", "seed", "image", "sui_image_params", "uc", "scale"]), values
    ),
)
def test_any_json_gives_a_recipe_nothing_or_an_output_error(key: str, value: Any) -> None:
    try:
        recipe = read({key: json.dumps(value)})
    except OutputError:
        return
    assert recipe is None or json.dumps(recipe.to_dict())
