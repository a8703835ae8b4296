"""What a scene's caption says of it, as the labels that the text encoder reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.embedded.scene_labels import SceneLabels, Thing
from sheepgen.training.data.backgrounds import PLACES, TIMES, WEATHERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sheepgen.training.data.scene import Scene

__all__ = ["caption_labels"]


def caption_labels(scene: Scene) -> SceneLabels:
    """Return a scene's labels, without what its caption leaves out of the surroundings.

    Its things are labelled in any case: a caption names them, with their colours and number.
    """
    caption = scene.caption.lower()

    def mentioned(answer: str, phrases: Iterable[str]) -> str:
        return answer if any(phrase in caption for phrase in phrases) else ""

    colour = scene.background
    backgrounds = (f"{colour} background", f"{colour} wall", f"against {colour}") if colour else ()
    is_digits = scene.kind == "digits"
    colours = (scene.colour, scene.other_colour)
    return SceneLabels(
        kind=scene.kind,
        things=tuple(
            Thing(name=name, colour=own) for name, own in zip(scene.things, colours, strict=False)
        ),
        count=scene.count,
        style=scene.style,
        place=mentioned(scene.place, PLACES[scene.place].phrases) if scene.place else "",
        time=mentioned(scene.time, TIMES[scene.time].phrases) if scene.time else "",
        weather=mentioned(scene.weather, WEATHERS[scene.weather].phrases) if scene.weather else "",
        background=mentioned(colour, backgrounds),
        digits=scene.subject if is_digits else "",
    )
