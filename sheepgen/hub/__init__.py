"""Models on the Hugging Face hub: found in its cache first, fetched only when missing.

plan      what is in the cache, and what a download would take
listing   what files a repository has
download  carrying a plan out
answers   each answer checked before it is used
arrival   each file checked when it is there
errors    the hub's refusals in plain sentences
"""

from __future__ import annotations

from sheepgen.hub.arrival import check_cached
from sheepgen.hub.download import DownloadProgress, download, fetch
from sheepgen.hub.errors import cached_models, not_cached
from sheepgen.hub.listing import PlannedFile
from sheepgen.hub.plan import (
    DownloadPlan,
    HubModel,
    cached_folder,
    go_offline,
    is_offline,
    parse_hub_model,
    plan_download,
)

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
