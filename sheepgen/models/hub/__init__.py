"""Models on the Hugging Face Hub: looked for in its cache first, downloaded only if missing.

cache     which models are in the cache
files     single files, such as LoRAs
listing   what is in a repository
download  what a download takes, and carrying it out
transfer  one file, checked when it is there
answers   each answer of the Hub, checked before it is used
errors    the Hub's refusals in plain sentences

The cache is the Hub's own and shared with every other program (``HF_HOME``, ``HF_HUB_CACHE``).
The network is used only for what is not in it, so that a model once downloaded stays the same,
online or not; ``org/name@revision`` asks for another.
"""

from __future__ import annotations

from sheepgen.models.hub.cache import (
    HubModel,
    cached_folder,
    cached_models,
    check_cached,
    parse_hub_model,
    snapshot_folder,
)
from sheepgen.models.hub.download import (
    DownloadPlan,
    DownloadProgress,
    download,
    fetch,
    go_offline,
    is_offline,
    plan_download,
)
from sheepgen.models.hub.errors import not_cached
from sheepgen.models.hub.files import (
    HubPath,
    is_file_name,
    parse_hub_path,
    plan_files,
)
from sheepgen.models.hub.listing import list_repository
from sheepgen.models.hub.transfer import HubFile

__all__ = [
    "DownloadPlan",
    "DownloadProgress",
    "HubFile",
    "HubModel",
    "HubPath",
    "cached_folder",
    "cached_models",
    "check_cached",
    "download",
    "fetch",
    "go_offline",
    "is_file_name",
    "is_offline",
    "list_repository",
    "not_cached",
    "parse_hub_model",
    "parse_hub_path",
    "plan_download",
    "plan_files",
    "snapshot_folder",
]
