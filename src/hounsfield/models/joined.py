"""Columns of a table beside the features of an image, before one classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hounsfield.preprocessing.table import TableSpec


class TableEncoder(nn.Module):
    """A table's rows, as `TableSpec.encode` gives them, as features: categories are embedded."""

    def __init__(self, spec: TableSpec) -> None:
        super().__init__()
        self.plain = 2 * len(spec.numbers)  # numbers and their flags
        sizes = [len(column.levels) + 1 for column in spec.categories]
        self.embeddings = nn.ModuleList(nn.Embedding(n, min(8, (n + 1) // 2)) for n in sizes)
        self.width = self.plain + sum(min(8, (n + 1) // 2) for n in sizes)

    def forward(self, table: Tensor) -> Tensor:
        """(B, W) -> (B, width)."""
        codes = table[:, self.plain :].long()
        embedded = [one(codes[:, i]) for i, one in enumerate(self.embeddings)]
        return torch.cat([table[:, : self.plain], *embedded], 1)


class Joined(nn.Module):
    """Features of the image, and of the table where there is one, before one classifier."""

    def __init__(self, body: nn.Module, width: int, outputs: int, spec: TableSpec | None) -> None:
        super().__init__()
        self.body = body
        self.encoder = TableEncoder(spec) if spec else None
        extra = self.encoder.width if self.encoder else 0
        self.classifier = nn.Linear(width + extra, outputs)

    def forward(self, images: Tensor, table: Tensor | None = None) -> Tensor:
        features = self.body(images).flatten(1)
        if self.encoder is not None:
            assert table is not None
            features = torch.cat([features, self.encoder(table)], 1)
        logits: Tensor = self.classifier(features)
        return logits
