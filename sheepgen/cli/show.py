"""``sheepgen show``: what an image says about itself."""

from __future__ import annotations

from pathlib import Path

from sheepgen.cli.console import cli_errors, write_data
from sheepgen.cli.options import ImageArg, JsonOpt, VerboseOpt

__all__ = ["show"]


def show(image: ImageArg, *, json: JsonOpt = False, verbose: VerboseOpt = False) -> None:
    """Show how an image was made, and the command that makes it again."""
    with cli_errors(verbose=verbose):
        from sheepgen.image_file import read_record
        from sheepgen.infotext import to_command, to_parameters
        from sheepgen.metadata import to_json
        from sheepgen.text import printable

        record = read_record(Path(image))
        if json:
            write_data(to_json(record))
        else:
            write_data(printable(to_parameters(record)))
            write_data("")
            write_data(to_command(record))
