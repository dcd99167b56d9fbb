"""Columns of a table beside the features of an image, before one classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hounsfield.preprocessing.columns import Column
from hounsfield.preprocessing.table import TableSpec

HIDDEN = 16  # units that bend the effect of a number, and let two columns act together


def width_of(column: Column) -> int:
    """How many numbers stand for a category: half as many as there are, 8 at most."""
    return min(8, (len(column.levels) + column.missing + 1) // 2)


class Categories(nn.Module):
    """The categories of one column as vectors.

    codes (B,): 0 for a category that the training part did not have; it gets the mean vector of
    those that it had, by their shares, for nothing could be learned of it.
    """

    shares: Tensor

    def __init__(self, column: Column) -> None:
        super().__init__()
        shares = [*column.shares, *([0.0] * column.missing)]  # a missing one has a vector too
        self.vectors = nn.Parameter(torch.randn(len(shares), width_of(column)))
        self.register_buffer("shares", torch.tensor(shares))

    def forward(self, codes: Tensor) -> Tensor:
        """(B,) -> (B, width)."""
        unseen = self.shares @ self.vectors
        return F.embedding(codes, torch.cat([unseen[None], self.vectors]))


class TableEncoder(nn.Module):
    """A table's rows, as `TableSpec.encode` gives them, as features: categories are embedded."""

    def __init__(self, spec: TableSpec) -> None:
        super().__init__()
        self.plain = len(spec.numbers) + len(spec.flags)
        self.categories = nn.ModuleList(Categories(one) for one in spec.categories)
        entering = self.plain + sum(width_of(column) for column in spec.categories)
        self.hidden = nn.Sequential(nn.Linear(entering, HIDDEN), nn.ReLU())
        self.width = entering + HIDDEN

    def forward(self, table: Tensor) -> Tensor:
        """(B, W) -> (B, width): the columns as they are, and what a small layer makes of them."""
        codes = table[:, self.plain :].long()
        embedded = [one(codes[:, i]) for i, one in enumerate(self.categories)]
        columns = torch.cat([table[:, : self.plain], *embedded], 1)
        return torch.cat([columns, self.hidden(columns)], 1)


class Joined(nn.Module):
    """Features of the image, and of the table where there is one, before one classifier."""

    def __init__(self, body: nn.Module, width: int, outputs: int, spec: TableSpec | None) -> None:
        super().__init__()
        self.body = body
        self.encoder = TableEncoder(spec) if spec else None
        extra = self.encoder.width if self.encoder else 0
        self.classifier = nn.Linear(width + extra, outputs)

    def forward(self, images: Tensor, table: Tensor | None = None) -> Tensor:
        """(B, C, …) and (B, W) -> (B, K)."""
        features = self.body(images).flatten(1)
        if self.encoder is not None:
            assert table is not None
            features = torch.cat([features, self.encoder(table)], 1)
        logits: Tensor = self.classifier(features)
        return logits
