"""Checkpoints of the hub, through its own library and its own cache."""

from pathlib import Path

import huggingface_hub
from huggingface_hub import errors

from sdnb.errors import LoadError

INDEX = "model_index.json"

FOLDERS = (
    "unet",
    "vae",
    "text_encoder",
    "text_encoder_2",
    "tokenizer",
    "tokenizer_2",
    "scheduler",
)
"""What of a repository is read; the rest (safety checkers of gigabytes) is left there."""

EXPLAINED: dict[type[Exception], tuple[str, str]] = {
    errors.GatedRepoError: (
        "this model is gated: its page asks for your consent first.",
        "accept its terms on its page, then log in: huggingface_hub.login()",
    ),
    errors.RepositoryNotFoundError: (
        "the hub has no model of this name, or it is private.",
        "check the name on the hub; for a private one: huggingface_hub.login()",
    ),
    errors.RevisionNotFoundError: (
        "the model has no such revision.",
        "take a branch, tag or commit of its page, or leave it out",
    ),
    errors.LocalEntryNotFoundError: (
        "this model was not downloaded before, and the hub cannot be reached.",
        "go online once, or name a folder or file that is there",
    ),
    errors.EntryNotFoundError: (
        "this model is not in diffusers' layout.",
        "download its .safetensors file and load that",
    ),
}
"""What each of the hub's errors means, and what to do; the first that fits is said."""


def download(repository: str, revision: str | None = None) -> Path:
    """Return the folder of a repository in diffusers' layout; what is missing is downloaded.

    Files that are there already are not asked for again where ``HF_HUB_OFFLINE`` is set. Only
    what sdnb reads is taken: configurations, tokenizers and safetensors, in half precision where
    the repository has both. Raises `LoadError`, saying what to do.
    """
    try:
        index = Path(huggingface_hub.hf_hub_download(repository, INDEX, revision=revision))
        names = _files(repository, revision, index.parent)
        return Path(
            huggingface_hub.snapshot_download(
                repository, revision=revision, allow_patterns=_wanted(names)
            )
        )
    except tuple(EXPLAINED) as error:
        raise _explained(repository, revision, error) from error
    except Exception as error:  # no network: its library says so in many ways
        try:
            return Path(
                huggingface_hub.snapshot_download(
                    repository, revision=revision, local_files_only=True
                )
            )
        except (errors.HfHubHTTPError, OSError, ValueError):
            raise _explained(repository, revision, error) from error


def _files(repository: str, revision: str | None, folder: Path) -> list[str]:
    """List a repository's files; offline, those that were downloaded."""
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    return huggingface_hub.HfApi().list_repo_files(repository, revision=revision)


def _wanted(names: list[str]) -> list[str]:
    """Choose what is read: of weights that are there twice, the smaller ones."""
    read = [name for name in names if name.partition("/")[0] in FOLDERS and name.count("/") == 1]
    weights = {name for name in read if name.endswith(".safetensors")}
    half = {name for name in weights if _variant(name).startswith("fp16")}
    others = {name for name in weights - half if _variant(name)}  # non_ema
    halved = {name.partition("/")[0] for name in half}
    doubled = {name for name in weights - half if name.partition("/")[0] in halved}
    told = {name for name in read if name.endswith((".json", ".txt"))}
    return sorted({INDEX, "words.json"} | told | (weights - doubled - others))


def _variant(name: str) -> str:
    """Return what stands between a weights file's name and its ending, as ``fp16``."""
    return Path(name).name.partition(".")[2].rpartition("safetensors")[0].strip(".")


def _explained(repository: str, revision: str | None, error: Exception) -> LoadError:
    given = repository if revision is None else f"{repository}@{revision}"
    for kind, (what, fix) in EXPLAINED.items():
        if isinstance(error, kind):
            return LoadError(what, given=given, allowed="org/name or org/name@revision", fix=fix)
    said = str(error).splitlines()
    return LoadError(
        f"the hub did not give this model: {said[0] if said else type(error).__name__}",
        given=given,
        allowed="org/name or org/name@revision",
        fix="try again, or download it with a browser and load the file",
    )
