"""What the text encoder is taught: prompts without end, each with the scene that it tells.

Most are captions of scenes, or labels that name any drawing as often as any other. In some a word
stands for a thing that it is not the name of, but comes nearest to
(`sheepgen.training.data.synonyms`); many hold words that say nothing; and some name things and
leave out all else, as people do.

Some name no thing: see `sheepgen.training.data.fallback_prompts`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from sheepgen.training.data.augmentation import with_fillers
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.fallback_prompts import sample_mood, sample_place
from sheepgen.training.data.icon_sets import DRAWING_SETS, HOUSE_STYLE
from sheepgen.training.data.sampling import sample_label, sample_scene
from sheepgen.training.data.synonym_replacement import renamed
from sheepgen.training.text_encoder.attributes import as_told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.training.data.scene import Scene

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

IDLE_RATE = 0.4
"""How many of the words that say nothing beside a thing's name would, alone, bring one to mind."""


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
                return Lesson(*sample_mood(rng, self.evoked, self.fillers, self.cast))
            case "place":
                prompt, scene = sample_place(rng, self.cast)
                return Lesson(with_fillers(rng, prompt, self.fillers), scene)
            case "lexicon" if self.lexicon:
                word = rng.choice([*self.lexicon])
                scene = self._label(rng, self.lexicon[word])
                prompt = renamed(scene.caption, scene, scene.subject, word)
            case "scene":
                scene = sample_scene(
                    f"{self.seed}/lessons/scenes", index, mix=self.mix, subset=self.cast
                )
                prompt = self._with_nicknames(rng, scene)
            case _:
                scene = self._label(rng)
                prompt = scene.caption
        words = self._idle if self._idle and rng.random() < IDLE_RATE else self.fillers
        return Lesson(with_fillers(rng, prompt, words), as_told(scene))

    def _label(self, rng: random.Random, lead: str = "") -> Scene:
        return sample_label(rng, mix=self.mix, subset=self.cast, anchor=lead)

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
