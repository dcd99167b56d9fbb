"""Networks by name: our own, every timm classifier, or a researcher's `package.module:build`."""

from __future__ import annotations

import importlib
from typing import Any, cast

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.models.contract import Network

# name -> module, imported when first needed
NETWORKS = {
    "cnn": "hounsfield.models.cnn",
    "simple-nn": "hounsfield.models.simple_nn",
}


def load(name: str) -> Network[Any]:
    """The network of a name.

    Raises:
        UsageError: no network has this name, or `package.module:build` cannot be imported.
    """
    if ":" in name:
        from hounsfield.models.own import Own

        return Own(name)
    if name in NETWORKS:
        return cast("Network[Any]", importlib.import_module(NETWORKS[name]))
    import timm

    if timm.is_model(name):
        from hounsfield.models.backbone import Backbone

        return Backbone(name)
    known = [*NETWORKS, *timm.list_models()]
    near = did_you_mean(name, known).split(" Known:")[0]
    raise UsageError(
        f"no network {name!r}",
        remedy=f"{near} Known: {', '.join(NETWORKS)}, every timm name (resnet18, densenet121, …), "
        "or your own as package.module:build",
    )
