"""File names: slugs, the templates of ``--output``, and the `Target` that an image is saved as.

Fields of a template are filled with safe characters only (``a-z``, ``0-9``, ``-``, and the point
of a number), so no prompt can choose a folder, hide a file, or name a Windows device. Without a
prompt, which some models read none of, the model stands in its place. The rest of
the template is the user's choice, but a result that leaves the folder before the first field is
refused.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.output.artifacts import ARTIFACTS
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import expand_home

if TYPE_CHECKING:
    from collections.abc import Collection

    from sheepgen.fields import Field, Value
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "BRANCHED_OUTPUT",
    "DEFAULT_OUTPUT",
    "DISSOLVED_OUTPUT",
    "PLACEHOLDERS",
    "OutputTemplate",
    "Target",
    "folder_template",
    "image_word",
    "parse_output",
    "slug",
]

DEFAULT_OUTPUT = "outputs/{prompt}_{seed}.png"

BRANCHED_OUTPUT = "outputs/{prompt}_{seed}_branch-{branch}.png"

DISSOLVED_OUTPUT = "outputs/{image}_{seed}_dissolved.png"

PLACEHOLDERS = (*(field.key for field in FIELDS.values()), "index", "key")
"""What may stand in braces; ``index`` counts a run's images from 1, and ``key`` is the beginning of
`sheepgen.execution.image_key.image_key`, which is another one for every other image."""

KEY_LENGTH = 10
MAX_SLUG_BYTES = 60
MAX_STEM_BYTES = 200
"""File systems allow 255 bytes; the rest is for extensions, counters and temporary names."""

_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(10)
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where an image and its artifacts are saved.

    Args:
        folder: May not exist yet.
        stem: What all their names begin with.
        suffix: Extension of the image.
        key: The image's `sheepgen.execution.image_key.image_key`.
        own: Which of the `paths` may be replaced, as they were made for this same image.
    """

    folder: Path
    stem: str
    suffix: str
    key: str = ""
    own: frozenset[str] = frozenset()

    @property
    def path(self) -> Path:
        """Path of the image itself."""
        return self.folder / (self.stem + self.suffix)

    def paths(self) -> dict[str, Path]:
        """Return the paths of the ``image``, and of its artifacts by their names in `ARTIFACTS`."""
        beside = {each.name: each.path(self.folder, self.stem) for each in ARTIFACTS}
        return {"image": self.path, **beside}


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputTemplate:
    """A parsed ``--output``: ``text`` as a format string, ending in ``suffix``."""

    text: str
    suffix: str

    @property
    def home(self) -> Path:
        """Folder before the first field; every target is inside it."""
        literal = ""
        for text, field, _, _ in Formatter().parse(self.text):
            literal += text
            if field is not None:
                break
        return Path(os.path.normpath(literal + "name")).parent

    @property
    def is_unique(self) -> bool:
        """Whether different images have different names, without a look at each other."""
        return not _fields(self.text).isdisjoint({"index", "key"})

    def target(self, request: ResolvedRequest, index: int, key: str) -> Target:
        """Return where an image is saved.

        Args:
            request: Fills the fields.
            index: Number of the image in its run, from 1.
            key: Its `sheepgen.execution.image_key.image_key`.

        Raises:
            UsageError: If the name is too long, or leads out of `home`.
        """
        path = os.path.normpath(
            self.text.format_map(_values(request, index, key, _fields(self.text)))
        )
        if Path(os.path.relpath(path, self.home)).parts[:1] == (os.pardir,):
            raise UsageError(
                f'The output "{excerpt(self.text)}" leads out of its folder.',
                "Remove `..` after the first field.",
            )
        folder, name = os.path.split(path)
        stem = name.removesuffix(self.suffix)
        if (size := len(os.fsencode(stem))) > MAX_STEM_BYTES:
            raise UsageError(
                f"The file name must have at most {MAX_STEM_BYTES} bytes, got {size}.",
                "Use fewer fields in --output.",
            )
        return Target(folder=_folder(folder), stem=stem, suffix=self.suffix, key=key)


def image_word(prompt: str, model: str) -> str:
    """Return what stands for the prompt in file names; without one it is the model."""
    return slug(prompt, empty="image") if prompt else _value(FIELDS["model"], model)


def slug(text: str, *, empty: str) -> str:
    """Turn text into a word for file names: ``A Sheep!`` becomes ``a-sheep``.

    Accents are dropped; every other run of characters outside ``a-z0-9`` becomes one dash.

    Args:
        text: Anything.
        empty: What to return if nothing is left.

    Returns:
        1 to 60 characters of ``a-z``, ``0-9`` and inner dashes; never a Windows device name.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    word = re.sub("[^a-z0-9]+", "-", plain).strip("-")
    if len(word) > MAX_SLUG_BYTES:
        whole_words = word[: MAX_SLUG_BYTES + 1].rpartition("-")[0]
        word = whole_words or word[:MAX_SLUG_BYTES]
    if word in _DEVICES:
        word = f"{word}-{empty}"
    return word or empty


def parse_output(
    output: str | None,
    *,
    several: bool,
    default: str = DEFAULT_OUTPUT,
    inside: Path | None = None,
) -> OutputTemplate:
    """Parse ``--output``: a file, a folder (with a slash, or existing), or a template.

    Args:
        output: As typed, or None for the default. Trailing blanks are ignored, and a leading ``~``
            is the home folder.
        several: Whether there are several images. If the template would give them all the same
            name, ``_{seed}`` is appended to the stem.
        default: A template; its last part also names the files in a folder.
        inside: Folder that the output is relative to; then ``~`` is an ordinary name.

    Raises:
        UsageError: If a field is unknown, a brace is unmatched, or there is no file extension.
    """
    text = default if output is None else output.rstrip()
    text = _in_home(text) if inside is None else f"{_escaped(str(inside))}/{text}"
    if not text or "\0" in text:
        raise UsageError("The output needs a file name.", f"For example: -o '{default}'.")
    if text.endswith(("/", os.sep)) or _is_folder(text):
        text = f"{text.rstrip('/' + os.sep)}/{Path(default).name}"
    fields = _fields(text)
    suffix = Path(text).suffix
    if not suffix or "}" in suffix:
        raise UsageError(
            f'The output "{excerpt(text)}" has no file extension.',
            "Write name.png for a file, or name/ for a folder.",
        )
    numbered = not several or fields & {"seed", "index", "key"}
    stem = text.removesuffix(suffix) + ("" if numbered else "_{seed}")
    return OutputTemplate(text=stem + suffix, suffix=suffix)


def folder_template(folder: Path) -> str:
    """Return what `parse_output` takes for a folder, whatever its path is made of."""
    return f"{_escaped(str(folder))}/"


def _in_home(text: str) -> str:
    """Expand ``~`` in a template."""
    user, slash, rest = text.partition("/")
    home = expand_home(user)
    return text if home == user else _escaped(home) + slash + rest


def _escaped(path: str) -> str:
    """Return a path as part of a template, with its braces doubled."""
    return path.replace("{", "{{").replace("}", "}}")


@lru_cache
def _folder(path: str) -> Path:
    """Return one path for all images of a folder."""
    return Path(path)


def _is_folder(text: str) -> bool:
    try:
        return Path(text.replace("{{", "{").replace("}}", "}")).is_dir()
    except OSError:  # not a possible file name
        return False


def _fields(text: str) -> set[str]:
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise UsageError(
            f'The output "{excerpt(text)}" has an unmatched brace.',
            "Write {{ and }} for braces in a file name.",
        ) from error
    fields = {name for _, name, _, _ in parts if name is not None}
    formatted = any(spec or conversion for _, _, spec, conversion in parts)
    if formatted or not fields <= set(PLACEHOLDERS):
        raise UsageError(
            f'The output "{excerpt(text)}" has an unknown field.',
            f"Valid fields: {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}.",
        )
    return fields


def _values(
    request: ResolvedRequest, index: int, key: str, wanted: Collection[str]
) -> dict[str, str]:
    values = {
        field.key: _value(field, getattr(request, field.name))
        for field in FIELDS.values()
        if field.key in wanted
    }
    values["prompt"] = image_word(request.prompt, request.model)
    return {**values, "index": str(index), "key": key[:KEY_LENGTH]}


def _value(field: Field, value: Value | None) -> str:
    if isinstance(value, str):
        if field.name == "model":  # the last part of a path or of a Hub id
            value = value.rstrip("/").rpartition("/")[2]
        elif field.is_file:
            value = Path(value).stem
        elif field.is_weights:  # of a list, too
            value = ",".join(item.rstrip("/").rpartition("/")[2] for item in value.split(","))
            value = re.sub(r"\.safetensors|\.gguf|@[0-9a-f]{40}", "", value)
        return slug(value, empty=field.slug_if_empty)
    return "none" if value is None else str(value).removesuffix(".0")
