"""The 1,797 handwritten digits that come with scikit-learn: no network, no files.

Source: UCI, Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak 1998), its test part.
"""

from __future__ import annotations

import numpy as np

from .images import Raw, Request, labelled

DIGITS = tuple("0123456789")


def read_digits(request: Request) -> Raw:
    """Grey 8x8 images. Their values 0 to 16 become `round(value * 255 / 16)`, half to even: 8 is 128."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images_BHW = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    whole = labelled(images_BHW[:, None], bunch.target, num_classes=10, where="digits")
    return Raw(class_names=DIGITS, parts={"all": whole}, facts={"reader": "scikit-learn load_digits"})
