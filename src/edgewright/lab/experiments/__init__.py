"""One experiment a file, named as its claim, in a folder for each subject."""

THEMES = (
    "estimation",
    "regularization",
    "landscape",
    "optimizers",
    "backpropagation",
    "normalization",
    "convolution",
    "architectures",
    "pruning",
    "quantization",
    "distillation",
    "hardware",
    "pose",
    "losses",
    "metrics",
    "many_classes",
    "transfer",
)
"""Folders, in the order in which the subjects build on each other."""
