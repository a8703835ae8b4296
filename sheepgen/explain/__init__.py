"""How an image came about: where each word acts, and what each step did; `explain_image`.

run       an image generated and recorded, and what is saved beside it
ablation  the image again without a word
report    what was recorded, as plain data and numbers
heat      maps as pictures
page      all of it as one HTML page
"""

from __future__ import annotations

from sheepgen.explain.run import explain_image

__all__ = ["explain_image"]
