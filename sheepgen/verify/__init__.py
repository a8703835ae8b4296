"""Regenerate images from their own records and compare every bit: `verify_images`.

find            images, and what folders and manifests list
recorded_model  the model that a record names, if it may be used
recorded_inputs the pictures that it started from, if they are here
regenerate      the images again; the one part that needs torch
compare         what differs, by how much, and why; `pixels` measures
report          an outcome as a line of text or of JSON
"""

from __future__ import annotations

from sheepgen.verify.compare import Comparison
from sheepgen.verify.find import NotVerified
from sheepgen.verify.regenerate import verify_images

__all__ = ["Comparison", "NotVerified", "verify_images"]
