"""Very many classes.

Softmax over tens of thousands of classes, and the tail of rare ones.
"""
