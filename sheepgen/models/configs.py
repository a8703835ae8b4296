"""Configs of components, checked before anything is built from them.

A config is a few lines that can ask for terabytes of memory, or for code from the Hub. Limits and
refusals are the same for every family; what a family needs besides is in its row.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from sheepgen.errors import ModelError
from sheepgen.models.config_limits import (
    ALLOWED,
    ALWAYS_LISTS,
    LARGEST_NUMBER,
    LISTS,
    MAX_BLOCKS,
    NUMBERS,
    POSITIVE,
    REFUSED_SETTINGS,
    SUPPORTED_VALUES,
)
from sheepgen.models.json_file import read_object
from sheepgen.models.quantization import QUANTIZATION
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sheepgen.models.family import Component

__all__ = ["bad_setting", "check_config", "read_config"]

_SETTINGS = {"model_type", *ALLOWED}


def read_config(path: Path, component: Component) -> dict[str, Any]:
    """Read a component's config; one that is inside another is put in its place.

    Raises:
        ModelError: As `read_object` does.
    """
    config = read_object(path)
    if not component.inner_config:
        return config
    inner = config.get(component.inner_config)
    parts = {name for name in config if name.endswith(("_config", "coder"))} - {QUANTIZATION}
    own = {name: value for name, value in config.items() if name not in parts}
    return own | inner if isinstance(inner, dict) else own


def check_config(
    config: Mapping[str, Any],
    file: str,
    owner: str,
    *,
    required: Iterable[str],
    refused: Mapping[str, str],
    inner: Mapping[str, str] = MappingProxyType({}),
    limits: Mapping[str, range] = MappingProxyType({}),
) -> None:
    """Check the settings of one component, before anything is built from them.

    Args:
        config: Content of the file.
        file: Its name, as ``component/file``.
        owner: Whose config this is, for the message.
        required: Settings that must be there.
        refused: Settings that this family does not support, and what they ask for.
        inner: Settings that are configs, too, and regular expressions for their ``model_type``.
        limits: Integers that settings may be in this family, in place of those for all.

    Raises:
        ModelError: If a setting is missing, impossible, or asks for what is not supported.
    """
    for setting, meaning in {**REFUSED_SETTINGS, **refused}.items():
        value = config.get(setting)
        unset = value is None or value is False or value in ([], SUPPORTED_VALUES.get(setting))
        if not unset:
            raise ModelError(
                f"{owner} needs {meaning}, which is not supported.",
                f"The setting is {setting} in {file}.",
            )
    for setting in required:
        if config.get(setting) is None:
            raise bad_setting(file, setting, None, owner)
    for setting, allowed in {**ALLOWED, **limits}.items():
        value = config.get(setting)
        if value is None:
            continue
        if not _within(value, allowed, depth=LISTS.get(setting, 0)) or (
            setting in ALWAYS_LISTS and not isinstance(value, list)
        ):
            raise bad_setting(file, setting, value, owner)
    for setting in NUMBERS:
        value = config.get(setting)
        if value is not None and (not _is_number(value) or (setting in POSITIVE and value <= 0)):
            raise bad_setting(file, setting, value, owner)
    for setting, value in config.items():
        if setting in inner and isinstance(value, dict):
            if not re.fullmatch(inner[setting], str(value.get("model_type"))):
                kind = f"{setting}.model_type"
                raise bad_setting(file, kind, value.get("model_type"), owner)
            check_config(value, file, owner, required=(), refused=refused)
            continue
        # Libraries read such settings in place of those that were checked above.
        if isinstance(value, dict) and not _SETTINGS.isdisjoint(value):
            raise ModelError(
                f"{owner} has a config inside its config, which is not supported.",
                f"The setting is {excerpt(setting)} in {file}.",
            )


def bad_setting(file: str, setting: str, value: object, owner: str) -> ModelError:
    """Return the error for a setting that is missing (None) or impossible.

    Args:
        file: The config, as ``component/file``.
        setting: Name of the setting.
        value: What the config says.
        owner: Whose config this is.
    """
    problem = "does not set" if value is None else f"has an impossible value, {excerpt(value)}, for"
    return ModelError(
        f"{file} of {owner} {problem} {setting}.",
        "The model is damaged or not trustworthy: get it from another source.",
    )


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and abs(cast("float", value)) <= LARGEST_NUMBER


def _within(value: object, allowed: range, *, depth: int) -> bool:
    """Return whether a value is an allowed integer, or lists of them at most ``depth`` deep.

    The outermost list holds something; those in it may be empty.
    """
    if isinstance(value, list) and depth:
        return 1 <= len(value) <= MAX_BLOCKS and all(
            (item == [] and depth > 1) or _within(item, allowed, depth=depth - 1) for item in value
        )
    return type(value) is int and value in allowed
