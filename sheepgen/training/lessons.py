"""What the text encoder is taught: prompts without end, each with the scene that it tells.

Most are captions of scenes, or labels that name any drawing as often as any other. In some a word
stands for a thing that it is not the name of, but comes nearest to (`sheepgen.training.lexicon`);
some hold a word that says nothing; and some name things and leave out all else, as people do.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from sheepgen.training.data.casting import sample_label, sample_scene
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.drawing_sets import DRAWING_SETS, HOUSE_STYLE
from sheepgen.training.data.words import article, plural_of
from sheepgen.training.facts import as_told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.training.data.scenes import Scene

__all__ = ["Lesson", "Lessons", "renamed"]

SHARES = {"scene": 0.52, "label": 0.2, "lexicon": 0.16, "bare": 0.1, "nothing": 0.02}
"""How many prompts are of which sort."""

NICKNAME_RATE = 0.2
"""How many things in scenes go by a word of the lexicon."""

FILLER_RATE = 0.15
"""How many prompts hold a word that says nothing."""

ARTICLES = re.compile(r"\b(an?|the|one)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A prompt, and the scene with all that it tells, and no more; None if it tells nothing."""

    prompt: str
    told: Scene | None


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """An endless series of lessons.

    Args:
        seed: Another seed gives other lessons.
        lexicon: Words, each with the concept that it is to mean; there may be none.
        fillers: Words that mean no thing.
        mix: Which drawing sets, and how often; a key of `MIXES`.
        cast: The concepts that may take part; all of them if empty.
    """

    seed: int
    lexicon: Mapping[str, str]
    fillers: Sequence[str]
    mix: str = "styles"
    cast: tuple[str, ...] = ()

    def __getitem__(self, index: int) -> Lesson:
        """Return lesson ``index``, 0 or more; always the same."""
        rng = random.Random(f"{self.seed}/lessons/{index}")  # noqa: S311
        (sort,) = rng.choices([*SHARES], [*SHARES.values()])
        match sort:
            case "nothing":
                return Lesson("", None)
            case "bare":
                scene = replace(self._label(rng), caption="")
                return Lesson(_bare(rng, scene), scene)
            case "lexicon" if self.lexicon:
                word = rng.choice([*self.lexicon])
                scene = self._label(rng, self.lexicon[word])
                prompt = renamed(scene.caption, scene, scene.subject, word)
            case "scene":
                scene = sample_scene(
                    f"{self.seed}/lessons/scenes", index, mix=self.mix, cast=self.cast
                )
                prompt = self._with_nicknames(rng, scene)
            case _:
                scene = self._label(rng)
                prompt = scene.caption
        if self.fillers and rng.random() < FILLER_RATE:
            prompt = _with_filler(rng, prompt, rng.choice(self.fillers))
        return Lesson(prompt, as_told(scene))

    def _label(self, rng: random.Random, lead: str = "") -> Scene:
        return sample_label(rng, mix=self.mix, cast=self.cast, lead=lead)

    @cached_property
    def _nicknames(self) -> dict[str, list[str]]:
        nicknames = defaultdict(list)
        for word, name in self.lexicon.items():
            nicknames[name].append(word)
        return dict(nicknames)

    def _with_nicknames(self, rng: random.Random, scene: Scene) -> str:
        prompt = scene.caption
        for name in scene.things:
            if name in self._nicknames and rng.random() < NICKNAME_RATE:
                prompt = renamed(prompt, scene, name, rng.choice(self._nicknames[name]))
        return prompt


def renamed(caption: str, scene: Scene, name: str, word: str) -> str:
    """Return a scene's caption with another word for one of its things.

    It stays as it is where the name was mistyped, or cannot be told from the other thing's.

    Args:
        caption: The scene's.
        scene: What it tells.
        name: The concept that goes by another word.
        word: That word, singular.
    """
    others = [form for thing in scene.things if thing != name for form in _forms(thing)]
    plural = concepts()[name].plural
    for form in sorted(_forms(name), key=len, reverse=True):
        if any(form in other for other in others):
            continue
        said = plural_of(word) if form == plural and scene.count > 1 else word
        pattern = rf"\b(?:(an?) )?{re.escape(form)}\b"

        def spelled(found: re.Match[str], said: str = said) -> str:
            return f"{article(said)} {said}" if found[1] else said

        new, count = re.subn(pattern, spelled, caption, count=1, flags=re.IGNORECASE)
        if count:
            return new
    return caption


def _forms(name: str) -> tuple[str, ...]:
    concept = concepts()[name]
    return (concept.plural, *concept.words)


def _with_filler(rng: random.Random, prompt: str, word: str) -> str:
    """Put a word behind an article, or first if there is none."""
    places = [found.end() for found in ARTICLES.finditer(prompt)]
    if not places:
        return f"{word} {prompt}"
    at = rng.choice(places)
    return f"{prompt[:at]} {word}{prompt[at:]}"


def _bare(rng: random.Random, scene: Scene) -> str:
    """Name a label's things and style with no small words."""
    words = []
    for name, colour in ((scene.subject, scene.colour), (scene.other, scene.other_colour)):
        if name:
            words += [colour, rng.choice(concepts()[name].words)]
    styles = DRAWING_SETS[scene.style].style_words
    if scene.style != HOUSE_STYLE:
        words.append(rng.choice(styles))
    return " ".join(filter(None, words))
