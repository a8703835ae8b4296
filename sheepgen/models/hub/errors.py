"""What the Hub's refusals mean, in plain sentences that say what to do.

Without a login the Hub answers as if a private model did not exist, and its library reports a
missing network in several ways. Here each cause gets one sentence. Whether there is an access token
is checked, to distinguish a wrong one from a missing one; it is never shown.
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
    """Turn what the Hub's library raises into `ModelError`.

    Args:
        repo: The requested repository, ``org/name``.
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
            f"{repo} has no such revision.", "Correct or leave out the part after the @."
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
            f"{repo} could not be saved: {error.strerror or 'it arrived damaged'}.",
            "Complete files are kept; fix this and run the same command again to resume.",
        ) from error


def not_cached(repo: str, variant: str = "") -> ModelError:
    """Return the error for a model that is not complete in the cache, without a network."""
    if part := cached_part(repo, variant):
        return ModelError(
            part.message,
            "Run once without --offline (or HF_HUB_OFFLINE) to download what is missing, if the "
            "Hub has it as safetensors.",
        )
    return ModelError(
        f"{repo} is not in the cache, and using the network is not allowed.",
        f"Run once without --offline (or HF_HUB_OFFLINE) to download it. {_cached_hint()}",
    )


def _answered(repo: str, status: int) -> ModelError:
    from huggingface_hub import get_token

    if status == 401 and get_token():
        return ModelError(
            f"The Hub rejected your access token for {repo}.",
            "Log in again with `hf auth login`, or correct HF_TOKEN.",
        )
    if status == 401:
        return ModelError(
            f"{repo} does not exist on the Hub, or it is private and needs a login.",
            "Check the spelling; if it is private, run `hf auth login` or set HF_TOKEN.",
        )
    if status == 403:
        return _gated(repo)
    if status == 404:
        return ModelError(
            f"{repo} does not exist on the Hub, or you have no access to it.",
            "Check the spelling; `sheepgen models` lists well-known ones.",
        )
    return ModelError(
        f"The Hub could not serve {repo}: it answered with status {status}.", "Try again later."
    )


def _gated(repo: str) -> ModelError:
    return ModelError(
        f"{repo} is a gated model; accept its terms at https://huggingface.co/{repo}.",
        "Then log in with `hf auth login`.",
    )


def _unreachable(repo: str) -> ModelError:
    if part := cached_part(repo):
        return ModelError(
            f"{part.message} The Hub cannot be reached to download what is missing.",
            "Check the connection, or use a local folder.",
        )
    return ModelError(
        f"{repo} is not in the cache, and the Hub cannot be reached.",
        f"Check the connection, or use a local folder. {_cached_hint()}",
    )


def _cached_hint() -> str:
    names = cached_models()
    return f"In the cache: {', '.join(names)}." if names else "The cache is empty."
