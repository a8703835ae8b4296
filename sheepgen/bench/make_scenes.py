"""Write what the installed model's parser makes of a prompt, so that a script can do without it.

    python -m sheepgen.bench.make_scenes FILE PROMPT COUNT

A JSON object: of each seed from 0 to COUNT, the arguments of its text encoder's ``forward``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sheepgen.embedded.prompt_reader import PromptReader
from sheepgen.models.resolve import find_model
from sheepgen.request import EMBEDDED_MODEL

__all__ = ["save_scenes"]


def save_scenes(path: Path, prompt: str, count: int) -> None:
    """Write the file."""
    reader = PromptReader.load(find_model(EMBEDDED_MODEL).checkpoint)
    labels = reader.labels(prompt)
    assert labels is not None, "the model understands the prompt"
    scenes = {}
    for seed in range(count + 1):
        drawings = reader.drawings.choose(labels, seed)
        tensors = reader.text_encoder.label_tensors([labels], [drawings])
        scenes[seed] = [each.tolist() for each in tensors]
    path.write_text(json.dumps(scenes), encoding="utf-8")


if __name__ == "__main__":
    save_scenes(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
