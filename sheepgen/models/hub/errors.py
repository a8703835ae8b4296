"""What the hub's refusals mean, in plain sentences that say the way out.

The hub answers a stranger who asks for a private model as if there were none, and its library
wraps a missing network in several ways. Here each cause gets one sentence. Access tokens are
looked for, to tell a wrong one from a missing one, and never shown.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.hub.cache import cached_models, cached_part

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hub_errors", "not_cached"]


@contextmanager
def hub_errors(repo: str) -> Iterator[None]:
    """Turn what the hub's library raises into `ModelError`.

    Args:
        repo: The repository that is asked for, ``org/name``.
    """
    # The library's own name for its HTTP library's base error: httpx and httpx2 differ.
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise _gated(repo) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            f"{repo} has no such revision.", "Leave out what follows the @, or correct it."
        ) from error
    except HfHubHTTPError as error:
        raise _answered(repo, error.response.status_code) from error
    except LocalEntryNotFoundError as error:
        cause = error.__cause__
        if isinstance(cause, HfHubHTTPError):
            raise _answered(repo, cause.response.status_code) from error
        raise _unreachable(repo) from error
    except (HTTPError, ConnectionError) as error:
        raise _unreachable(repo) from error
    except HFValidationError as error:
        raise _answered(repo, 404) from error
    except OSError as error:
        raise ModelError(
            f"{repo} could not be stored: {error.strerror or 'it arrived damaged'}.",
            "What had arrived whole is kept; once there is room, the same command goes on.",
        ) from error


def not_cached(repo: str) -> ModelError:
    """Return the error for a model that is wanted offline and not whole in the cache."""
    if part := cached_part(repo):
        return ModelError(
            part.message,
            "Leave out --offline (or HF_HUB_OFFLINE) once to fetch what is missing, if the hub "
            "has it as safetensors.",
        )
    return ModelError(
        f"{repo} is not in the cache, and the network is not to be used.",
        f"Leave out --offline (or HF_HUB_OFFLINE) once to fetch it. {_cached_hint()}",
    )


def _answered(repo: str, status: int) -> ModelError:
    from huggingface_hub import get_token

    if status == 401 and get_token():
        return ModelError(
            f"The hub does not accept your access token for {repo}.",
            "Log in again with `hf auth login`, or correct HF_TOKEN.",
        )
    if status == 401:
        return ModelError(
            f"The hub shows no {repo} without a login: it is private, or there is none.",
            "Check the spelling; if it is private, `hf auth login` or set HF_TOKEN.",
        )
    if status == 403:
        return _gated(repo)
    if status == 404:
        return ModelError(
            f"The hub has no model {repo}, or it is private and not yours.",
            "Check the spelling; `sheepgen models` lists some that are known to run.",
        )
    return ModelError(
        f"The hub could not serve {repo}: it answered with status {status}.", "Try again later."
    )


def _gated(repo: str) -> ModelError:
    return ModelError(
        f"{repo} is only for those who have accepted its terms.",
        f"Accept them on https://huggingface.co/{repo}, then `hf auth login`.",
    )


def _unreachable(repo: str) -> ModelError:
    if part := cached_part(repo):
        return ModelError(
            f"{part.message} The hub cannot be reached to fetch what is missing.",
            "Check the connection, or give a local folder.",
        )
    return ModelError(
        f"{repo} is not in the cache, and the hub cannot be reached.",
        f"Check the connection, or give a local folder. {_cached_hint()}",
    )


def _cached_hint() -> str:
    names = cached_models()
    return f"In the cache: {', '.join(names)}." if names else "The cache is empty."
