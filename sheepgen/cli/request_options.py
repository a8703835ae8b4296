"""The options that describe an image, of every command, from the table of fields.

`RequestOptions` stands for them in the signature of a command, and a frozen dataclass for options
that belong together; `spread` turns both into the single parameters that Typer reads. What the user
has set takes the place of defaults there, and `Presets` stands for the names that the user has.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

import typer

from sheepgen.cli import completion, parsers
from sheepgen.cli.command_line import TYPED
from sheepgen.cli.console import cli_errors, error_console, note
from sheepgen.cli.typed_command import typed_command
from sheepgen.cli.user_settings import UserSettings, user_settings
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.presets import Presets
from sheepgen.prompt_template import expand_alternatives
from sheepgen.request import DEFAULTS, EMBEDDED_MODEL, GenerationRequest
from sheepgen.shell_command import TypedCommand
from sheepgen.sweep.ranges import (
    parse_integers,
    parse_loras,
    parse_numbers,
    parse_sizes,
    parse_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sheepgen.fields import Field

__all__ = ["RequestOptions", "spread"]

Mode = Literal["one", "several", "changes", "branches"]

_HELP_PANELS = ("Image", "Model")

_COMPLETIONS = {
    "model": completion.models_and_presets,
    "scheduler": completion.schedulers,
    "lora": completion.loras,
}

_SEED_HELP: dict[Mode, str] = {
    "one": "Picked and printed if omitted, or -1.",
    "several": "If omitted or -1, one is picked and kept for the folder.",
    "changes": "-1 picks one.",
    "branches": "",
}

_NOTHING_BY_DEFAULT = frozenset(
    name
    for name, field in FIELDS.items()
    if field.is_weights or (field.pattern and DEFAULTS.get(name) == "")
)
"""Fields whose default is an empty text, which a list of values cannot hold."""

_PARSE_SEVERAL: dict[type, Callable[[str, str], object]] = {
    int: parse_integers,
    float: parse_numbers,
    str: parse_words,
}


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """Options for fields of a request; the command is given a mapping.

    Args:
        mode: With "one", the mapping has every field, and None where the model is to decide. With
            "several", it has the values of each axis of a sweep that was given. With "changes", it
            has what was given; with "branches", every value of it, as options may be repeated then,
            and those that cannot change midway are not shown.
        names: Of the fields.
    """

    mode: Mode
    names: tuple[str, ...]

    def parameters(self) -> Iterator[inspect.Parameter]:
        """Yield a parameter for each option, in the order of ``--help``."""
        in_request = {
            each.name: FIELDS[each.name]
            for each in fields(GenerationRequest)
            if each.name in FIELDS
        }
        for panel, table in zip(_HELP_PANELS, (in_request, FIELDS), strict=True):
            for name, field in table.items():
                if name in self.names and field.panel == panel:
                    if self.mode != "several" or not field.axis:
                        yield _request_option(field, self.mode)
                    if name == "height":
                        yield _size_option(self.mode)

    def collect(self, typed: dict[str, Any], configured: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the mapping.

        Args:
            typed: By the names of parameters.
            configured: Fields in place of what was not typed.

        Raises:
            UsageError: If both ``--size`` and a side were given.
        """
        for name in typed.keys() & _NOTHING_BY_DEFAULT:
            if typed[name] is None:
                typed[name] = DEFAULTS[name] if self.mode == "one" else None
            elif FIELDS[name].repeats:
                typed[name] = _joined(name, typed[name], self.mode)
        if self.mode == "several":
            values = {name: (value,) for name, value in configured.items()}
            sides = tuple(values.pop(side, (None,))[0] for side in ("width", "height"))
            if sides != (None, None):
                values["size"] = (sides,)
            return {name: value for name, value in typed.items() if value is not None} | values
        if (size := typed.pop("size", None)) is not None:
            if typed["width"] is not None or typed["height"] is not None:
                raise UsageError(
                    "--size sets both sides already.", "Leave out --width and --height."
                )
            typed["width"], typed["height"] = size
        if self.mode == "one":
            return {**typed, **configured}
        given = {name: value for name, value in typed.items() if value is not None}
        if self.mode == "branches":
            return {
                name: tuple(value) if isinstance(value, list) else (value,)
                for name, value in given.items()
            }
        return given


def _request_option(field: Field, mode: Mode) -> inspect.Parameter:
    """Return the parameter of a command that is the option of one field."""
    is_left_out = mode in ("changes", "branches") or field.name in _NOTHING_BY_DEFAULT
    default = None if is_left_out else DEFAULTS.get(field.name)
    if isinstance(default, float) and default.is_integer():
        default = int(default)  # shown as 0, not 0.0
    options, metavar = field.options, field.metavar
    if mode == "several":
        options = field.options_for_several or options
        metavar = {
            "NAME": "NAMES",
            "TEXT": "TEXT",
            "PATH": "PATHS",
            "PATH[:SCALE]": "PATH[:SCALES]",
        }.get(metavar, "VALUES")
        default = None if default in (None, "") else str(default)
    info = typer.Option(
        *options,
        metavar=metavar,
        help=_help(field, mode).replace("[", "\\["),
        parser=_parser(field, mode),
        autocompletion=completion.of(*field.choices)
        if field.choices
        else _COMPLETIONS.get(field.name),
        show_default=default not in (None, ""),
        rich_help_panel=field.panel,
        hidden=mode == "branches" and not field.changes_midway,
    )
    repeats = field.repeats or (mode == "branches" and field.changes_midway)
    kind = list[str] | None if repeats else str | None
    return _parameter(field.name, Annotated[kind, info], default)


def _joined(name: str, typed: Sequence[str], mode: Mode) -> str | tuple[str, ...]:
    """Return one value of options that were given several times, or every value in a sweep."""
    texts = [parsers.text(each) for each in typed]
    if mode != "several":
        return ",".join(filter(None, texts))
    alternatives = [parse_loras(FIELDS[name].option, text) for text in texts]
    return tuple(",".join(filter(None, each)) for each in product(*alternatives))


def _size_option(mode: Mode) -> inspect.Parameter:
    parser: Callable[[str], object] = parsers.size
    metavar, text = "WxH", "Width and height, as in 512x768."
    if mode == "several":
        parser = partial(parse_sizes, "--size")
        metavar, text = "SIZES", "Width and height, as in 512x512,512x768."
    info = typer.Option(
        "--size",
        metavar=metavar,
        help=text,
        parser=parser,
        rich_help_panel="Image",
        hidden=mode == "branches",
    )
    return _parameter("size", Annotated[str | None, info], None)


def _parameter(name: str, annotation: object, default: object) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


def _help(field: Field, mode: Mode) -> str:
    sentence = (field.help_for_several if mode == "several" else "") or field.help
    if mode == "branches":
        return f"{sentence} Repeatable: each makes a branch."
    if field.name == "prompt":
        return f"{sentence} Use - to read it from standard input."
    if field.name == "image":
        return f"{sentence} Use - to read a pipe."
    if field.is_seed:
        return f"{sentence} {_SEED_HELP[mode]}"
    if field.from_model and mode == "changes":
        return f"{sentence} Defaults to the image's own."
    if field.from_model:
        embedded = getattr(KNOWN_MODELS[EMBEDDED_MODEL], field.name, None)
        own = "" if embedded is None else f" ({embedded:g} for {EMBEDDED_MODEL})"
        return f"{sentence} Defaults to the model's own{own}."
    return sentence


def _parser(field: Field, mode: Mode) -> Callable[[Any], Any] | None:
    """Return what reads the text that was typed."""
    if field.repeats:
        return None  # it reads them one at a time
    is_word = field.name in _COMPLETIONS or field.choices or field.pattern
    is_text = field.kind is str and not is_word and not field.is_hashed
    if mode == "several" and is_text:
        return _alternatives
    if mode == "several":
        options = field.options_for_several or field.options
        name = next(option for option in options if option.startswith("--"))
        return partial(_PARSE_SEVERAL[field.kind], name)
    if field.kind is str:
        return None if is_word else parsers.text
    return (parsers.whole_number if field.kind is int else parsers.number)(field.option)


def _alternatives(typed: str) -> tuple[str, ...]:
    return tuple(expand_alternatives(parsers.text(typed)))


def spread(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command for Typer, with one parameter for every option, and errors printed.

    Args:
        function: Takes groups of options: `RequestOptions` in an annotation, or dataclasses; and
            what was typed, if it has a parameter for a `TypedCommand`.
    """
    groups: dict[str, tuple[list[inspect.Parameter], _Collect]] = {}
    parameters: list[inspect.Parameter] = []
    takes_command: list[str] = []
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        match parameter.annotation, get_args(parameter.annotation)[1:]:
            case _, (RequestOptions() as options,):
                groups[parameter.name] = [*options.parameters()], partial(_collect, options)
            case type() as kind, _ if kind is TypedCommand:
                takes_command.append(parameter.name)
            case type() as kind, _ if kind is Presets:
                groups[parameter.name] = [], _presets
            case type() as kind, _ if is_dataclass(kind):
                groups[parameter.name] = [*_members(kind)], partial(_build, kind)
            case _:
                parameters.append(parameter)
                continue
        parameters += groups.get(parameter.name, ([], None))[0]

    def command(context: typer.Context, **typed: Any) -> None:  # noqa: ANN401 - of whichever types the options have
        with cli_errors():
            settings = user_settings(context)
        typed |= {name: each for name, each in settings.options.items() if name in typed}
        with cli_errors(verbose=typed.get("verbose", False)):
            quiet = typed.get("quiet", False) or typed.get("progress_json", False)
            for text in settings.notes:
                note(error_console(quiet=quiet), text)
            for name, (members, collect) in groups.items():
                own = {each.name: typed.pop(each.name) for each in members}
                typed[name] = collect(own, settings)
            for name in takes_command:
                typed[name] = typed_command(context, context.meta.get(TYPED, ()))
            function(**typed)

    parameters.append(_parameter("context", typer.Context, inspect.Parameter.empty))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__doc__, command.__name__ = function.__doc__, function.__name__
    return command


_Collect = Callable[[dict[str, Any], UserSettings], object]
"""Makes an argument of the typed options that belong together."""


def _collect(options: RequestOptions, typed: dict[str, Any], settings: UserSettings) -> object:
    return options.collect(typed, settings.fields)


def _presets(typed: dict[str, Any], settings: UserSettings) -> object:  # noqa: ARG001 - has none
    return settings.presets


def _build(kind: type, typed: dict[str, Any], settings: UserSettings) -> object:  # noqa: ARG001
    return kind(**typed)


def _members(kind: type) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    for each in fields(kind):
        yield _parameter(each.name, hints[each.name], each.default)
