"""Convolution.

What sliding windows keep, cost and see.
"""
