"""Networks and gradients.

Layers, activations, initial weights, and what becomes of a gradient on its way back.
"""
