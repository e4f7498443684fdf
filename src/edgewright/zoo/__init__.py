"""Models to start from: the zoo's own small nets, any timm or torchvision classifier, or the user's own factory.

Listing names imports no torch; building does.
"""

from .registry import Entry, entries, names
from .resolve import resolve
from .spec import ZooModel

__all__ = ["Entry", "ZooModel", "entries", "names", "resolve"]
