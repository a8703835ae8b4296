"""Models on the Hugging Face hub: found in its cache first, fetched only when missing.

names     how models on the hub are named
cache     what of them is here
plan      what a download would take
listing   what files a repository has
download  carrying a plan out
answers   each answer checked before it is used
arrival   each file checked when it is there
errors    the hub's refusals in plain sentences

The cache is the hub's own and shared with every other program (``HF_HOME``, ``HF_HUB_CACHE``).
The network is asked only for what is not in it, so that a model once fetched stays the same model,
online or not; ``org/name@revision`` asks for another.
"""

from __future__ import annotations

from sheepgen.models.hub.arrival import check_cached
from sheepgen.models.hub.cache import cached_folder, cached_models
from sheepgen.models.hub.download import DownloadProgress, download, fetch
from sheepgen.models.hub.errors import not_cached
from sheepgen.models.hub.listing import PlannedFile
from sheepgen.models.hub.names import HubModel, parse_hub_model
from sheepgen.models.hub.plan import DownloadPlan, go_offline, is_offline, plan_download

__all__ = [
    "DownloadPlan",
    "DownloadProgress",
    "HubModel",
    "PlannedFile",
    "cached_folder",
    "cached_models",
    "check_cached",
    "download",
    "fetch",
    "go_offline",
    "is_offline",
    "not_cached",
    "parse_hub_model",
    "plan_download",
]
