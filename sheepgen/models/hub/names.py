"""How models on the hub are named: ``org/name`` or ``org/name@revision``."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["HubModel", "parse_hub_model"]

_WORD = r"[A-Za-z0-9](?:[\w.-]{0,94}[\w-])?"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_MODEL = re.compile(rf"(?P<repo>{_WORD}/{_WORD})(?:@(?P<revision>[\w.-]+(?:/[\w.-]+)*))?", re.A)


@dataclass(frozen=True, kw_only=True, slots=True)
class HubModel:
    """A repository on the hub at a branch, tag or commit."""

    repo: str
    revision: str = "main"

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a full commit hash, which always stands for the same files."""
        return _COMMIT.fullmatch(self.revision) is not None


def parse_hub_model(name: str) -> HubModel | None:
    """Read ``org/name`` or ``org/name@revision``; anything else is none of the hub's names."""
    match = _HUB_MODEL.fullmatch(name)
    if match is None or "--" in match["repo"] or ".." in name:
        return None
    return HubModel(repo=match["repo"], revision=match["revision"] or "main")
