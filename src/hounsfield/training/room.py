"""When memory runs out: told as such, with the batch size that fits."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch

from hounsfield.errors import UsageError

# What allocators say that have no type of their own: torch's on the CPU and on Apple's GPU,
# the C++ library's, and the convolution library's.
SAID = (
    "defaultcpuallocator",
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "bad_alloc",
    "could not create a memory",
)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error, of the CPU or of a GPU, says that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(one in words for one in SAID)


def fits(step: Callable[[], object]) -> bool:
    """Do it; False where memory ran out, and then what it held is free again."""
    try:
        step()
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        error.__traceback__ = None  # its frames hold the tensors
    else:
        return True
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


def largest_batch(step: Callable[[int], object], batch: int) -> int:
    """The largest of batch / 2, batch / 4, … with which a step fits; 0 where not even 1 does."""
    while batch > 1:
        batch //= 2
        if fits(lambda: step(batch)):  # noqa: B023  (done before the next)
            return batch
    return 0


def too_large(batch: int, fitting: int, device: str, accumulate: int = 1) -> UsageError:
    """The refusal of a batch, and how to ask for one that fits with the same step."""
    where = f"fit into the memory of this machine's {device}"
    if not fitting:
        return UsageError(
            f"not even one image does {where}",
            expected="a network and images that do",
            remedy="train with a smaller --preprocessing.size or --preprocessing.depth, or a "
            "smaller network; or use a machine with more memory",
        )
    problem = f"a batch of {batch} does not {where}"
    further = -(-batch * accumulate // fitting)
    return UsageError(
        f"{problem}; {fitting} fits",
        expected=f"at most {fitting} images at once",
        remedy=f"train anew with --training.batch {fitting} --training.accumulate {further}: "
        f"the gradients of {further} batches are summed for a step",
    )
