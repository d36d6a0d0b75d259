"""Names of timm's pretrained networks: which exist, which were renamed, and which is probably meant by an unknown name."""

import difflib
import importlib
import re
from functools import cache

from cortexscale.models.vision import timm


@cache
def _pretrained() -> tuple[str, ...]:
    """Names with the tag of their weights, and the same names without the tag."""
    tagged = timm.list_models(pretrained=True)
    return (*tagged, *dict.fromkeys(name.split(".")[0] for name in tagged))


def renamed(name: str) -> str | None:
    """Return the present name of a network that timm has renamed and still finds by its old name; None for other names."""
    table = importlib.import_module("timm.models._registry")  # timm has no public access to its table
    return vars(table)["_deprecated_models"].get(name) or None


def unknown(name: str) -> str | None:
    """Say what is probably meant by a name for which timm has no pretrained weights.

    If timm has weights of this name, or the name is the name of a model on a hub, return None.
    """
    if re.match(r"[a-z_-]+:", name):
        owned = name.startswith("local") or "/" in name
        return None if owned else f"a name of a hub needs its owner, such as hf-hub:timm/{name.partition(':')[2]}"
    if "/" in name:
        return f"a name with an owner is of a hub: write hf-hub:{name}"
    if name in _pretrained() or renamed(name):
        return None
    plain = re.sub(r"^(torchvision\.)?models\.|\(.*\)$|_weights\b.*$", "", name.strip().lower().replace("-", "_"))
    if plain in _pretrained():
        return f"did you mean {plain}?"
    if renamed(plain):
        return f"did you mean {renamed(plain)}?"
    network = plain.split(".")[0]
    tags = [known for known in _pretrained() if known.startswith(f"{network}.")]
    if tags:
        return f"{network} has the weights {', '.join(tags[:4])}{', ...' * (len(tags) > 4)}"
    if timm.is_model(plain):
        return "timm has this network, but no weights for it"
    longer = [known for known in _pretrained() if known.startswith(plain) and "." not in known]
    near = longer[:3] or difflib.get_close_matches(plain, _pretrained(), n=2, cutoff=0.75)
    return f"did you mean {' or '.join(near)}?" if near else "timm.list_models(pretrained=True) lists all names"
