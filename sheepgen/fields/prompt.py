"""The prompts, and how they are read."""

from __future__ import annotations

from sheepgen.fields.field import Field

__all__ = ["PROMPT_ROWS"]

PROMPT_ROWS = (
    Field(
        name="prompt",
        label="prompt",
        kind=str,
        hint_if_blank="Say what to generate.",
        per_image=True,
        changes_midway=True,
        options=("-p", "--prompt"),
        metavar="TEXT",
        panel="Image",
        help="The prompt.",
        slug_if_empty="image",
    ),
    Field(
        name="blend",
        label="blend",
        kind=str,
        per_image=True,
        options=("--blend",),
        example="a king:1, a man:-1, a woman:1",
        metavar="TEXT:WEIGHT,…",
        panel="Image",
        help="Prompts to add up, each with its weight, in place of PROMPT, as in 'a king:1, a "
        "man:-1, a woman:1'. Weights should add up to 1. A prompt with a comma or a colon goes in "
        "double quotes.",
        help_for_several="Prompts to add up, each with its weight, in place of PROMPT; "
        "'a king:{0.5|1}, a fox' expands to two blends.",
        a1111=("Blend",),
        since=9,
    ),
    Field(
        name="negative_prompt",
        label="negative prompt",
        kind=str,
        per_image=True,
        changes_midway=True,
        needs_guidance=True,
        options=("-n", "--negative-prompt"),
        aliases=("negative",),
        metavar="TEXT",
        panel="Image",
        help="What to avoid.",
        help_for_several="What to avoid; {|blur} expands to two negative prompts.",
        file_name=(9, "not-{negative_prompt}"),
    ),
    Field(
        name="prompt_syntax",
        label="prompt syntax",
        kind=str,
        choices=("plain", "a1111"),
        options=("--prompt-syntax",),
        metavar="WORD",
        panel="Image",
        help="How to read prompts: plain, or a1111, where (word:1.3), [word] and BREAK work as in "
        "AUTOMATIC1111's web UI.",
        file_name=(18, "{prompt_syntax}"),
        since=6,
    ),
    Field(
        name="long_prompt",
        label="long prompt",
        kind=str,
        choices=("cut", "chunk"),
        options=("--long-prompt",),
        metavar="WORD",
        panel="Image",
        help="How to handle a prompt that is too long: cut it, or chunk it to read all of it. The "
        "a1111 syntax always chunks.",
        file_name=(19, "{long_prompt}"),
        a1111=("Long prompt",),
        since=6,
    ),
)
