"""The loss landscape.

Minima, saddles, sharpness, and what the size of a batch has to do with them.
"""
