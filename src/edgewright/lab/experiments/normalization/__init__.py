"""Normalization.

Batch, layer, instance and group norm, and folding them away.
"""
