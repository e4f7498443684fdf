"""Written for reading: NumPy only, nothing of ours imported. The oracle that everything faster is compared with."""
