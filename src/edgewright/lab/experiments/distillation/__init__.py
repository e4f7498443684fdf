"""Distillation.

What a small network learns from the answers of a large one.
"""
