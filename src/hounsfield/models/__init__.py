"""Networks by name: our own, every timm classifier, or a researcher's `package.module:build`."""

from __future__ import annotations

import importlib
from typing import Any, cast

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.models.contract import Network

# name -> module, or module:value, imported when first needed
NETWORKS = {
    "cnn": "hounsfield.models.cnn",
    "simple-nn": "hounsfield.models.simple_nn",
    "vgg11": "hounsfield.models.vgg:VGG11",
    "vgg13": "hounsfield.models.vgg:VGG13",
    "vgg16": "hounsfield.models.vgg:VGG16",
    "vgg19": "hounsfield.models.vgg:VGG19",
    "vgg11_bn": "hounsfield.models.vgg:VGG11_BN",
    "vgg13_bn": "hounsfield.models.vgg:VGG13_BN",
    "vgg16_bn": "hounsfield.models.vgg:VGG16_BN",
    "vgg19_bn": "hounsfield.models.vgg:VGG19_BN",
    "densenet121-3d": "hounsfield.models.monai_3d:DENSENET121",
    "resnet18-3d": "hounsfield.models.monai_3d:RESNET18",
    "resnet50-3d": "hounsfield.models.monai_3d:RESNET50",
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
        module, _, value = NETWORKS[name].partition(":")
        found: Any = importlib.import_module(module)
        return cast("Network[Any]", getattr(found, value) if value else found)
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
