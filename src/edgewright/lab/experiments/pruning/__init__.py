"""Pruning.

What can be left out of a network, and what that pays on real hardware.
"""
