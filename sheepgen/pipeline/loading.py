"""A checked model folder becomes a loaded model.

The family that `sheepgen.models.families` names loads it, each component by a class that the family
names, from safetensors, without the network.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import safe_open

from sheepgen.caches import NO_CACHE
from sheepgen.errors import ModelError
from sheepgen.models.added.hashes import added_hashes
from sheepgen.models.added.places import fetch_added, pinned
from sheepgen.models.added.transformer import with_transformer
from sheepgen.models.caching import check_cache
from sheepgen.models.denoiser_size import denoiser_parameters
from sheepgen.models.files import variant_of
from sheepgen.models.memory import why_not_offload
from sheepgen.models.quantization import QUANTIZATION, method_of
from sheepgen.models.resolve import find_model
from sheepgen.options import NATIVE_ATTENTION, split_dtype
from sheepgen.pipeline.attention_backend import backend_error, has_backends, use_backend
from sheepgen.pipeline.building import building, component_errors
from sheepgen.pipeline.compiled import can_compile, compile_denoiser, compile_error
from sheepgen.pipeline.cpu_bf16 import lay_out
from sheepgen.pipeline.device import resolve_device, resolve_dtype
from sheepgen.pipeline.fp8 import keep_fp8
from sheepgen.pipeline.network_weights import give_weights, without_weights
from sheepgen.pipeline.offload import move_model, offload_model
from sheepgen.pipeline.placement import CPU
from sheepgen.pipeline.quantized import check_can_load, room_for
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.pipeline.step_cache import enable_cache
from sheepgen.prompt_syntax import PLAIN
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from sheepgen.adapters import Adapters
    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import Offload
    from sheepgen.pipeline.family import FamilyModule, LoadedModel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "check_schedule",
    "load_diffusers",
    "load_model",
    "load_text_encoder",
    "load_tokenizer",
    "read_prompt",
]


_MAPPED_BYTES = 2**28
"""Of a file of weights, about as much as is mapped at once."""


def load_model(
    name_or_spec: str | ModelSpec,
    *,
    variant: str = "",
    device: str = "auto",
    dtype: str = "auto",
    adapters: Adapters | None = None,
    offload: Offload = "none",
    attention_backend: str = NATIVE_ATTENTION,
    cache: str = NO_CACHE,
    compiled: bool = False,
) -> LoadedModel:
    """Load a model onto a device.

    Args:
        name_or_spec: The embedded model's name, a diffusers folder, a single file, or a hub id
            ``org/name[@revision]``, which is downloaded if it is not in the cache; or what
            `sheepgen.models.resolve.find_model` returned for it.
        variant: Which of its weight files, as in ``fp16``, if it is given by name; empty for the
            usual ones.
        device: One of `sheepgen.options.DEVICES`.
        dtype: One of `sheepgen.options.DTYPES`.
        adapters: VAE, LoRAs and embeddings to add to it: a request's ``adapters``. They are
            downloaded likewise.
        offload: What of it is off the device while it does not work. Of no effect on the CPU, and
            with families that are small.
        attention_backend: One of `sheepgen.options.ATTENTION_BACKENDS`. Of no effect with families
            whose networks have no choice, all U-Nets among them.
        cache: What the denoiser reuses from one step to the next, as `sheepgen.caches` reads it.
        compiled: Whether the denoiser's blocks are compiled when they first run. Of no effect with
            families that have no U-Net and no transformer.

    Raises:
        UsageError: If there is no such model or device, the device does not have that precision or
            attention backend or no compiler, the cache is not for the model, or nothing can be
            added to it.
        ModelError: If the model cannot be downloaded, is damaged, or is not supported; or if what
            is added to it does not fit.
    """
    target = resolve_device(device)
    resolve_dtype(dtype, target)  # refuses what does not go together before any download
    spec = name_or_spec
    if isinstance(spec, str):
        replaced = adapters.replaced if adapters else ()
        spec = find_model(spec, variant=variant, replaced=replaced)
    check_cache(spec, cache)
    adapters = adapters or spec.adapters
    if spec.family.takes(adapters):
        fetch_added(adapters)
    spec = replace(spec, adapters=pinned(adapters))
    added_hashes(spec.adapters, spec.checkpoint, {})
    checkpoint = with_transformer(spec.checkpoint, spec.adapters.transformer)
    spec = replace(spec, checkpoint=checkpoint)
    with component_errors("denoiser" if "unet" not in checkpoint.configs else "unet"):
        precision = resolve_dtype(dtype, target, denoiser_parameters(spec))
    has_choice = has_backends(spec)
    if has_choice and (error := backend_error(attention_backend, target, precision)):
        raise error
    is_compiled = compiled and can_compile(spec)
    if is_compiled and (error := compile_error(target)):
        raise error
    can_move, is_fp8 = not why_not_offload(spec) and target != CPU, split_dtype(dtype)[0]
    is_offloaded = offload != "none" and can_move
    # With fp8 only what is left of the weights needs room on the device.
    is_moved = is_fp8 and can_move and not is_offloaded
    family = _family_module(spec)
    with quiet_libraries():
        model = family.load(spec, CPU if is_offloaded or is_moved else target, precision)
        if spec.adapters:
            from sheepgen.pipeline.adapters import add_adapters  # which loads with what is below

            model = add_adapters(model)
        if is_fp8:
            keep_fp8(model)
        if is_moved:
            model = move_model(model, target)
        if has_choice:
            use_backend(model, attention_backend)
        if target == CPU and precision == torch.bfloat16 and not is_compiled:
            lay_out(model, attention_backend)
        enable_cache(model, cache)
        if is_compiled:
            compile_denoiser(model)
        return offload_model(model, offload, target) if is_offloaded else model


def read_prompt(spec: ModelSpec, text: str, form: PromptFormat = PLAIN) -> PromptReading:
    """Return how much of a text a model reads and, if it parses prompts, what it understands.

    Loads no weights but what parsing takes.

    Args:
        spec: The model.
        text: A prompt.
        form: How it is read, if the model's family has a choice.

    Raises:
        ModelError: If the model's folder is damaged.
    """
    return _family_module(spec).read_prompt(spec, text, form)


def check_schedule(spec: ModelSpec, request: ResolvedRequest) -> None:
    """Check that a request's scheduler gets through its steps with this model's schedule.

    Loads no weights.

    Raises:
        UsageError: If so many steps do not fit.
        ModelError: If the scheduler cannot be used with this model.
    """
    _family_module(spec).check_schedule(spec, request)


def _family_module(spec: ModelSpec) -> FamilyModule:
    return cast("FamilyModule", import_module(spec.family.pipeline))


def load_tokenizer(
    checkpoint: Checkpoint,
    component: str,
    tokenizer_class: Any,  # noqa: ANN401
) -> PreTrainedTokenizerBase:
    """Load a tokenizer."""
    with component_errors(component):
        if checkpoint.prefixes:
            from sheepgen.pipeline.single_file import clip_tokenizer

            return clip_tokenizer(tokenizer_class, checkpoint.configs[component])
        return cast(
            "PreTrainedTokenizerBase",
            tokenizer_class.from_pretrained(
                str(checkpoint.folder / component), local_files_only=True
            ),
        )


def load_text_encoder(
    checkpoint: Checkpoint,
    component: str,
    model_class: Any,  # noqa: ANN401
    settings: Iterable[str],
    dtype: torch.dtype,
    *,
    prefixes: Sequence[str] = ("",),
) -> Any:  # noqa: ANN401
    """Load a text encoder; the library sees no file of it, only its weights and some settings.

    Args:
        checkpoint: Where it is.
        component: Its name.
        model_class: Of transformers.
        settings: All that is taken from its config: what decides its numbers. The library would
            read many more, some of which lead to other files or to code.
        dtype: Precision of its weights.
        prefixes: How the names of its weights may begin, if others are there, too; the first with
            which any does is taken off them.
    """
    config = checkpoint.configs[component]
    chosen = {name: config[name] for name in (*settings, QUANTIZATION) if name in config}
    check_can_load(config, "transformers", component)
    with building(component, room_for(config, checkpoint.stored[component])):
        model, report = model_class.from_pretrained(
            None,
            config=model_class.config_class(**chosen),
            state_dict=_aligned(_inner(dict(_weights(checkpoint, component)), prefixes)),
            dtype=dtype,
            output_loading_info=True,
        )
    return _ready(component, model, report["missing_keys"])


def load_diffusers(
    checkpoint: Checkpoint,
    component: str,
    model_class: Any,  # noqa: ANN401
    dtype: torch.dtype,
) -> Any:  # noqa: ANN401
    """Load a network of a class of diffusers."""
    config = checkpoint.configs[component]
    if component == "transformer" and checkpoint.transformer is not None:
        from sheepgen.pipeline.transformer_file import read_transformer

        return read_transformer(checkpoint.transformer, model_class, config, dtype)
    check_can_load(config, "diffusers", component)
    with building(component, room_for(config, checkpoint.stored[component])):
        if method_of(config) is not None:
            model, report = _load_quantized(checkpoint, component, model_class, dtype)
            return _ready(component, model, report["missing_keys"])
        with without_weights(), _default_dtype(model_class, dtype):
            model = model_class.from_config(dict(config))
        copy = bool(checkpoint.prefixes or model_class._keep_in_fp32_modules)
        missing = give_weights(model, _weights(checkpoint, component), dtype, copy=copy)
    return _ready(component, model, missing)


def _load_quantized(
    checkpoint: Checkpoint,
    component: str,
    model_class: Any,  # noqa: ANN401
    dtype: torch.dtype,
) -> tuple[Any, Mapping[str, Collection[str]]]:
    """Load a network by diffusers, which replaces its layers by those for its kind of weights."""
    file = next(iter(checkpoint.weights_of(component)), "")
    loaded: tuple[Any, Mapping[str, Collection[str]]] = model_class.from_pretrained(
        str((checkpoint.folder / file).parent if file else checkpoint.folder / component),
        local_files_only=True,
        use_safetensors=True,
        variant=variant_of(file),
        output_loading_info=True,
        low_cpu_mem_usage=True,
        dtype=dtype,
    )
    return loaded


@contextmanager
def _default_dtype(model_class: Any, dtype: torch.dtype) -> Iterator[None]:  # noqa: ANN401
    """Let a network compute what it keeps besides its weights as diffusers does."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32 if model_class._keep_in_fp32_modules else dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _weights(checkpoint: Checkpoint, component: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weights of a component, mapped from their files, by their names there."""
    if checkpoint.prefixes:
        from sheepgen.pipeline.single_file import read_component

        yield from read_component(checkpoint, component).items()
        return
    # On optional ones no image depends, so they are not among the model's.
    usual = f"{component}/{checkpoint.family.components[component].weights}.safetensors"
    for name in checkpoint.weights_of(component) or (usual,):
        yield from _mapped(checkpoint.folder / name)


def _mapped(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weights of a file, of which not much is in memory at once if none is kept."""
    with safe_open(path, framework="pt") as file:
        names = deque(file.keys())
    while names:
        # What was read stays in memory as long as the file is mapped, so it is mapped anew.
        left = _MAPPED_BYTES
        with safe_open(path, framework="pt") as file:
            while names and left > 0:
                weight = file.get_tensor(names[0])
                left -= weight.nbytes
                yield names.popleft(), weight


def _aligned(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights at addresses that torch chooses.

    The library keeps float32 weights where they lie in the file, whose header may have any length;
    products with a single row, such as SDXL's summary of a prompt, round by the alignment. Equal
    weights in two files would not give equal bits.
    """
    return {name: weight.clone() for name, weight in weights.items()}


def _inner(weights: Mapping[str, torch.Tensor], prefixes: Sequence[str]) -> dict[str, torch.Tensor]:
    """Return the weights whose names begin with the first prefix that any has, without it."""
    for prefix in prefixes:
        inner = {
            name.removeprefix(prefix): weight
            for name, weight in weights.items()
            if name.startswith(prefix)
        }
        if inner:
            return inner
    return {}


def _ready(component: str, model: Any, missing: Collection[str]) -> Any:  # noqa: ANN401
    """Return a network in evaluation mode, if it has all its weights."""
    # The libraries fill such holes with random numbers and go on.
    if missing:
        raise ModelError(
            f"{component} has no weights for {excerpt(min(missing))} ({len(missing)} are missing).",
            "The model is incomplete. Download it again.",
        )
    return model.eval().requires_grad_(requires_grad=False)
