"""``python -m sheepgen.training.data``: a sheet of scenes with captions, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sheepgen.training.config import Workspace
from sheepgen.training.data.icon_sets import NPM_PACKAGES
from sheepgen.training.data.icons import Album
from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.data.sampling import sample_scene
from sheepgen.training.fetch import fetch_packages
from sheepgen.training.image_grid import contact_sheet


def main(
    output: Annotated[Path, typer.Argument(help="The sheet, a PNG.")] = Path("scenes.png"),
    count: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 24,
    seed: Annotated[str, typer.Option(help="Another word gives other scenes.")] = "sheet",
    size: Annotated[int, typer.Option(min=32, help="Pixels a side.")] = 256,
    workspace: Annotated[Path, typer.Option(help="Where downloads lie.")] = Path(".training"),
) -> None:
    """Paint scenes as the model sees them."""
    folder = Workspace(workspace).packages
    album = Album(modules=fetch_packages(NPM_PACKAGES, folder), folder=folder / "rendered")
    scenes = [sample_scene(seed, index) for index in range(count)]
    pictures = [paint_scene(scene, album, size) for scene in scenes]
    contact_sheet(pictures, [scene.caption for scene in scenes]).save(output)


if __name__ == "__main__":
    typer.run(main)
