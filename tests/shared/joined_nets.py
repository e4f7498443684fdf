"""A module made of named layers and a function, so that a test can write a net on one line."""

from torch import nn


class Net(nn.Module):
    """Named layers and a function that joins them."""

    def __init__(self, run, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.run = run

    def forward(self, x):
        return self.run(self, x)
