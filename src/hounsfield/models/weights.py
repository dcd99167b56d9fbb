"""Pretrained weights: a file's or the hub's, matched by name and shape, never unpickled."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hounsfield.errors import InputError

LEAST = 0.8  # of a network's weights must fit, or the file is another network's


@dataclass(frozen=True)
class Matched:
    """Which layers took weights from a file."""

    taken: tuple[str, ...]
    adapted: tuple[str, ...]  # first layers whose input channels were summed or shared
    fresh: tuple[str, ...]  # of the network, not in the file or of another shape
    unused: tuple[str, ...]  # of the file

    def __str__(self) -> str:
        return (
            f"{len(self.taken)} layers' weights taken, {len(self.adapted)} adapted to the "
            f"channels, {len(self.fresh)} start fresh, {len(self.unused)} of the file unused"
        )


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors in a .safetensors or PyTorch file; nothing in it is executed.

    Raises:
        InputError: missing, damaged, or holding anything but tensors and plain values.
    """
    if not file.is_file():
        raise InputError("there is no such weights file", file=file, remedy="check --model.weights")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd protocols: what matters is raised
            state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            "the file carries pickled code, which we do not run, or is no weights file",
            file=file,
            expected="a file of tensors only",
            remedy="save state_dict() alone, best as .safetensors",
        ) from error
    except Exception as error:
        raise InputError(
            f"the weights cannot be read ({type(error).__name__})",
            file=file,
            remedy="copy it again",
        ) from error
    return _tensors(state, file)


def load_into(network: nn.Module, state: Mapping[str, Tensor], file: str | Path) -> Matched:
    """Copy what fits by name and shape; a first layer with other channels is summed or shared.

    Raises:
        InputError: too little of the network fits: they are another one's.
    """
    own = network.state_dict()
    stem = next((name for name, tensor in own.items() if tensor.ndim >= 4), None)
    given = {name if name in own else _plain(name): tensor for name, tensor in state.items()}
    taken: list[str] = []
    adapted: list[str] = []
    for name, tensor in own.items():
        if name not in given:
            continue
        new = given[name]
        if new.shape == tensor.shape:
            taken.append(name)
        elif name == stem and _without_channels(new) == _without_channels(tensor):
            # The sum rule: a grey image then gives what three equal channels gave.
            new = new.sum(1, keepdim=True).repeat_interleave(tensor.shape[1], 1) / tensor.shape[1]
            adapted.append(name)
        else:
            continue
        tensor.copy_(new)
    share = sum(own[name].numel() for name in (*taken, *adapted)) / _size(own)
    if share < LEAST:
        raise InputError(
            f"only {share:.0%} of the network's weights are in the file",
            file=file,
            expected=f"at least {LEAST:.0%}, with names like {next(iter(own))}",
            remedy="check that --model.name is the network that the file was saved from",
        )
    fresh = [name for name in own if name not in taken and name not in adapted]
    unused = [name for name in given if name not in own]
    return Matched(tuple(taken), tuple(adapted), tuple(fresh), tuple(unused))


def from_hub(name: str) -> dict[str, Tensor]:
    """timm's pretrained weights, from its cache or the hub.

    Raises:
        InputError: the network has none, or there is no hub and nothing in the cache.
    """
    import timm

    if not timm.is_model(name):
        raise InputError(
            f"there are no pretrained weights for {name}",
            expected="a timm network, e.g. --model.name resnet18 --model.weights hub",
            remedy="leave --model.weights out to train from scratch",
        )
    try:
        network = timm.create_model(name, pretrained=True)
    except Exception as error:
        raise InputError(
            f"no pretrained weights for {name} could be had ({type(error).__name__})",
            expected="an internet connection, or the weights in the local cache",
            remedy="give a file with --model.weights FILE, or leave the flag out to train "
            "from scratch",
        ) from error
    state: dict[str, Tensor] = network.state_dict()
    return state


def _size(state: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in state.values())


def _without_channels(tensor: Tensor) -> tuple[int, ...]:
    """The shape of a convolution's weights, but for its input channels."""
    return (*tensor.shape[:1], *tensor.shape[2:])


def _plain(name: str) -> str:
    """Without the prefixes that wrappers add."""
    for prefix in ("module.", "_orig_mod.", "model."):
        name = name.removeprefix(prefix)
    return name


def _tensors(state: Any, file: Path) -> dict[str, Tensor]:
    for key in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    tensors = (
        {k: v for k, v in state.items() if isinstance(v, Tensor)}
        if isinstance(state, Mapping)
        else {}
    )
    if not tensors:
        raise InputError("holds no weights", file=file, expected="a state_dict of tensors")
    return tensors
