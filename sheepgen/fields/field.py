"""What describes one field of a request, and the check of its values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sheepgen.errors import UsageError
from sheepgen.fields.limits import MAX_PROMPT_CHARACTERS
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import OWN_SCHEDULER, SCHEDULERS

__all__ = ["Field", "Value"]

Value = str | int | float
"""A field's value, unless it is unset."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a request.

    Args:
        name: As in `sheepgen.request.GenerationRequest`.
        label: The user's name for it; with underscores, its key in a job and in a template.
        kind: Type of its values.
        low: Smallest number allowed.
        high: Largest number allowed.
        hint_if_blank: What to do about a blank text; "" if blank texts are allowed.
        blank_label: Its name in errors about texts; "" for the label.
        pattern: Regular expression that texts have to match; "" for any text.
        example: A text that does.
        from_model: Whether None stands for the model's own value.
        is_seed: Whether `RANDOM_SEED`, or no value where one is needed, picks one at random.
        is_file: Whether it is the path of a picture.
        choices: All values that are allowed; empty for any.
        is_weights: Whether it names files that are added to the model, as `sheepgen.adapters` says.
        repeats: Whether the option may be repeated; its values are joined with commas.
        per_image: Whether images of one batch may differ in it.
        changes_midway: Whether it may change between two steps of a run (`sheepgen.branch`).
        needs: Flag of `sheepgen.schedulers.SchedulerSpec` without which it has no effect.
        needs_guidance: Whether it has no effect unless the model also runs without the prompt.
        needs_image: Whether it means nothing without a picture to start from.
        options: Spellings on the command line, the long one last.
        aliases: Other programs' spellings: accepted, and not shown.
        metavar: Stands for a value in ``--help``.
        panel: Heading in ``--help``.
        help: One sentence.
        help_for_several: The sentence for options with several values; "" for the same.
        options_for_several: Their spellings; empty for the same.
        axis: Axis of a sweep that the field shares with others; "" for one of its own.
        file_name: Its place in the file names of a sweep and its part of them, a template; the part
            is "" if every name has it anyway.
        slug_if_empty: Stands for a text without letters and digits in file names.
        a1111: Keys in AUTOMATIC1111's parameters; all are read, the first is written.
        since: Record format that introduced it; a new field takes the next number.
    """

    name: str
    label: str
    kind: type[Value]
    low: int = 0
    high: int = 0
    hint_if_blank: str = ""
    blank_label: str = ""
    pattern: str = ""
    example: str = ""
    from_model: bool = False
    is_seed: bool = False
    is_file: bool = False
    choices: tuple[str, ...] = ()
    is_weights: bool = False
    repeats: bool = False
    per_image: bool = False
    changes_midway: bool = False
    needs: str = ""
    needs_guidance: bool = False
    needs_image: bool = False
    options: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    metavar: str
    panel: str
    help: str
    help_for_several: str = ""
    options_for_several: tuple[str, ...] = ()
    axis: str = ""
    file_name: tuple[int, str] = (0, "")
    slug_if_empty: str = "none"
    a1111: tuple[str, ...] = ()
    since: int = 1

    @property
    def key(self) -> str:
        """The label as one word."""
        return self.label.replace(" ", "_")

    @property
    def option(self) -> str:
        """The long spelling."""
        return self.options[-1]

    @property
    def is_hashed(self) -> bool:
        """Whether it names files, whose hashes are in the resolved request."""
        return self.is_file or self.is_weights

    def check(self, value: Value | None) -> None:
        """Check a value as far as that is possible without the model.

        Raises:
            UsageError: If it is out of range, not a choice, too long, blank or not valid UTF-8.
        """
        if isinstance(value, str):
            self._check_text(value)
        elif value is not None and not self.low <= value <= self.high:
            got = f"{value:g}" if isinstance(value, float) else excerpt(value)
            raise UsageError(f"{self.label} must be between {self.low} and {self.high}, got {got}.")

    def has_effect(self, scheduler: str) -> bool:
        """Return whether the value changes the image with this scheduler."""
        if scheduler == OWN_SCHEDULER:  # of a model whose `ModelSpec.unread` says it
            return True
        return not self.needs or bool(getattr(SCHEDULERS[scheduler], self.needs))

    def _check_text(self, text: str) -> None:
        label = self.blank_label or self.label
        if len(text) > MAX_PROMPT_CHARACTERS:
            raise UsageError(
                f"The {label} has {len(text):,} characters.",
                f"At most {MAX_PROMPT_CHARACTERS:,} are allowed.",
            )
        if "\0" in text:
            raise UsageError(f"The {label} contains a NUL character.", "Remove it.")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"The {label} is not valid UTF-8.", "Check how it was typed."
            ) from error
        if self.choices and text not in self.choices:
            raise UsageError(
                f'Unknown {label} "{excerpt(text)}".', f"Known: {', '.join(self.choices)}."
            )
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise UsageError(f'{label} must look like {self.example}, got "{excerpt(text)}".')
        if self.hint_if_blank and not text.strip():
            raise UsageError(f"The {label} is empty.", self.hint_if_blank)
