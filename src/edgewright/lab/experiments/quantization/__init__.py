"""Quantization.

Numbers of few bits: grids, clipping, calibration, outliers.
"""
