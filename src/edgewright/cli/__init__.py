"""The command line: each command parses, makes one public call, and prints. Heavy rooms load inside commands only."""

from .app import app, main

__all__ = ["app", "main"]
