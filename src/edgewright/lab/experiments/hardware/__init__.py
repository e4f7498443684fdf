"""Hardware.

Where time and energy go: rooflines, memory, bits.
"""
