"""What the text encoder is taught: prompts without end, each with the scene that it tells.

Most are captions of scenes, or labels that name any drawing as often as any other. In some a word
stands for a thing that it is not the name of, but comes nearest to (`sheepgen.training.lexicon`);
many hold words that say nothing; and some name things and leave out all else, as people do.

Some name no thing. Those that name a place tell it with what belongs there. In others a word brings
a thing to mind (`sheepgen.training.evoked`), the first if several do. The rest tell a question
mark, so that whoever typed them sees that they were not understood.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from sheepgen.training.data.casting import sample_label, sample_scene
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.drawing_sets import DRAWING_SETS, HOUSE_STYLE
from sheepgen.training.data.places import PLACES, TIMES
from sheepgen.training.data.scenes import Scene
from sheepgen.training.data.words import words_of
from sheepgen.training.facts import as_told
from sheepgen.training.fillers import with_fillers
from sheepgen.training.renaming import renamed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Lesson", "Lessons"]

SHARES = {
    "scene": 0.48,
    "label": 0.18,
    "lexicon": 0.14,
    "bare": 0.09,
    "mood": 0.06,
    "place": 0.03,
    "nothing": 0.02,
}
"""How many prompts are of which sort."""

NICKNAME_RATE = 0.2
"""How many things in scenes go by a word of the lexicon."""

AT_HOME = {
    "beach": "beach umbrella",
    "road": "car",
    "field": "cow",
    "flowers": "butterfly",
    "hills": "sheep",
    "farm": "tractor",
    "desert": "cactus",
    "snow": "snowman",
    "mountains": "goat",
    "forest": "pine tree",
    "city": "office building",
    "lake": "duck",
    "room": "chair",
    "stage": "microphone",
    "sky": "airplane",
    "space": "planet",
    "moon": "rocket",
    "underwater": "fish",
}
"""What is shown at a place where nothing else is. The U-Net has seen no place without a thing."""

PLACE_NOUNS = (
    "beach", "road", "field", "farm", "desert", "forest", "city", "lake", "room", "stage", "space"
)  # fmt: skip
"""The places that are called so and are no things."""

NOT_UNDERSTOOD = "question mark"
"""What is shown where a prompt brings nothing to mind."""

EVOKED_RATE = 0.4
"""How many prompts of the sort "mood" bring a thing to mind."""

EVOKING_WORDS = (1, 1, 2)
"""By how many words of theirs; the first is what counts."""

STAGED_RATE = 0.3
"""How many of these name a place as well."""

IDLE_RATE = 0.4
"""How many of the words that say nothing beside a thing's name would, alone, bring one to mind."""

MOODS = ("{0}", "{0}", "{0} {1}", "{1} {0}", "{0}, {1}", "a {1} {0}", "the {0}", "a {0} {1} a {2}")
"""Prompts that name no thing, where a number stands for a word."""


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
        evoked: The same for words that mean it only where no thing is named.
        fillers: Words that mean no thing; a few at least.
        mix: Which drawing sets, and how often; a key of `MIXES`.
        cast: The concepts that may take part; all of them if empty.
    """

    seed: int
    lexicon: Mapping[str, str]
    evoked: Mapping[str, str]
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
            case "mood":
                return self._mood(rng)
            case "place":
                prompt, scene = self._place(rng)
                return Lesson(with_fillers(rng, prompt, self.fillers), scene)
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
        words = self._idle if self._idle and rng.random() < IDLE_RATE else self.fillers
        return Lesson(with_fillers(rng, prompt, words), as_told(scene))

    def _mood(self, rng: random.Random) -> Lesson:
        """Return a prompt that names no thing."""
        words = rng.choices(self.fillers, k=3)
        if self.evoked and rng.random() < EVOKED_RATE:
            evoking = rng.choices([*self.evoked], k=rng.choice(EVOKING_WORDS))
            words[: len(evoking)] = evoking
        prompt = rng.choice(MOODS).format(*words)
        shown = [self.evoked[word] for word in words_of(prompt) if word in self.evoked]
        scene = Scene(kind="single", subject=self._known(NOT_UNDERSTOOD), style=HOUSE_STYLE)
        if shown and rng.random() < STAGED_RATE:
            said, scene = self._place(rng)
            prompt = f"{prompt} {said}"
        return Lesson(prompt, replace(scene, subject=shown[0]) if shown else scene)

    def _place(self, rng: random.Random) -> tuple[str, Scene]:
        """Return a phrase for a place, at some hour or none, and a scene of what belongs there."""
        place, time = rng.choice([*PLACES]), rng.choice(["", "", *TIMES])
        if not PLACES[place].open_air:
            time = ""
        said = rng.choice(PLACES[place].phrases)
        if place in PLACE_NOUNS and rng.random() < 0.5:
            said = f"{rng.choice(('', 'a ', 'the '))}{place}"
        if time:
            said = f"{said} {rng.choice(TIMES[time].phrases)}"
        subject = self._known(AT_HOME[place])
        scene = Scene(kind="single", subject=subject, style=HOUSE_STYLE, place=place, time=time)
        return said, scene

    def _known(self, name: str) -> str:
        """Return a concept's name, or nothing if it is not in the cast."""
        return name if not self.cast or name in self.cast else ""

    def _label(self, rng: random.Random, lead: str = "") -> Scene:
        return sample_label(rng, mix=self.mix, cast=self.cast, lead=lead)

    @cached_property
    def _idle(self) -> list[str]:
        """Words that bring a thing to mind, but beside another say nothing.

        Those of longer names are not among them: a cat with a hat wears one.
        """
        names = {
            word for thing in concepts().values() for form in thing.forms for word in form.split()
        }
        return [word for word in self.evoked if word not in names]

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
