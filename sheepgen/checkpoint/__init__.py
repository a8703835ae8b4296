"""Model folders: read, judged and hashed before torch is imported.

files        which files make a model
json_file    JSON from strangers, read with a limit
config       settings held against limits
weights      safetensors headers
folder       all of that, for one folder
sampling     steps and guidance of models that were trained here
fingerprint  one hash for all weights
"""

from __future__ import annotations

from sheepgen.checkpoint.fingerprint import fingerprint
from sheepgen.checkpoint.folder import Checkpoint, check_index, read_checkpoint
from sheepgen.checkpoint.sampling import RECORD_FILE, Sampling, recorded_sampling
from sheepgen.checkpoint.weights import StoredWeights

__all__ = [
    "RECORD_FILE",
    "Checkpoint",
    "Sampling",
    "StoredWeights",
    "check_index",
    "fingerprint",
    "read_checkpoint",
    "recorded_sampling",
]
