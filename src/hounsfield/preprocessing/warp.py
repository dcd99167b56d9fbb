"""One spatial change of a picture: a map of coordinates that composes, applied to voxels once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class Warp:
    """A batch of affine maps: where each output pixel centre comes from in the input.

    `input_from_output` is (B, D+1, D+1) in pixels, coordinates ordered (x, y) or (x, y, z);
    `size` is the output's (Y, X) or (Z, Y, X).
    """

    input_from_output: Tensor
    size: tuple[int, ...]

    @classmethod
    def identity(cls, batch: int, size: tuple[int, ...]) -> Warp:
        return cls(torch.eye(len(size) + 1).expand(batch, -1, -1).clone(), size)

    def __matmul__(self, then: Warp) -> Warp:
        """This warp first, then another on its output: still one sampling of the input."""
        return Warp(self.input_from_output @ then.input_from_output, then.size)

    def to(self, device: torch.device) -> Warp:
        return Warp(self.input_from_output.to(device), self.size)

    def repeated(self, batch: int) -> Warp:
        """A single map for each picture of a batch."""
        return Warp(self.input_from_output.expand(batch, -1, -1), self.size)

    def grid(self, input_size: tuple[int, ...]) -> Tensor:
        """The sampling grid of `torch.nn.functional.grid_sample`, (B, …, D), align_corners off."""
        axes = len(self.size)
        n_in = self.input_from_output.new_tensor(input_size[::-1])
        n_out = self.input_from_output.new_tensor(self.size[::-1])
        # unit = (2 pixel + 1) / n - 1 on each axis
        pixel_from_unit = torch.eye(axes + 1, device=n_in.device)
        pixel_from_unit[:axes, :axes] = torch.diag(n_out / 2)
        pixel_from_unit[:axes, axes] = (n_out - 1) / 2
        unit_from_pixel = torch.eye(axes + 1, device=n_in.device)
        unit_from_pixel[:axes, :axes] = torch.diag(2 / n_in)
        unit_from_pixel[:axes, axes] = (1 - n_in) / n_in
        theta = (unit_from_pixel @ self.input_from_output @ pixel_from_unit)[:, :axes]
        grid: Tensor = F.affine_grid(theta, [len(theta), 1, *self.size], align_corners=False)
        return grid

    def images(self, images: Tensor) -> Tensor:
        """(B, C, …) sampled linearly; beyond the edge the nearest pixel is repeated."""
        grid = self.grid(tuple(images.shape[2:]))
        moved: Tensor = F.grid_sample(images, grid, "bilinear", "border", align_corners=False)
        return moved

    def masks(self, masks: Tensor) -> Tensor:
        """Label maps (B, …) of integers, nearest label; 0 beyond the edge."""
        grid = self.grid(tuple(masks.shape[1:]))
        sampled = F.grid_sample(
            masks[:, None].float(), grid, "nearest", "zeros", align_corners=False
        )
        moved: Tensor = sampled[:, 0].to(masks.dtype)
        return moved

    def points(self, points: Tensor, item: int) -> Tensor:
        """(N, D) points in input pixels (x, y…) of one item, where they lie in the output."""
        output_from_input = torch.linalg.inv(self.input_from_output[item])
        axes = points.shape[1]
        moved: Tensor = points @ output_from_input[:axes, :axes].T + output_from_input[:axes, axes]
        return moved

    def boxes(self, boxes: Tensor, item: int) -> Tensor:
        """(N, 4) boxes x0, y0, x1, y1 (edges, not centres): the upright box of the moved corners.

        Clipped to the picture; a box that leaves it altogether has no area afterwards.
        """
        x0, y0, x1, y1 = (boxes - 0.5).unbind(1)  # edge coordinates lie half a pixel off centres
        corners = torch.stack(
            [torch.stack(c, 1) for c in ((x0, y0), (x1, y0), (x0, y1), (x1, y1))], 1
        )
        moved = self.points(corners.reshape(-1, 2), item).reshape(-1, 4, 2) + 0.5
        limit = moved.new_tensor(self.size[::-1])
        low = moved.amin(1).clamp(min=0).minimum(limit)
        high = moved.amax(1).clamp(min=0).minimum(limit)
        return torch.cat([low, high], 1)
