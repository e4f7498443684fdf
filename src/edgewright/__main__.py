"""`python -m edgewright` is the same as the command `edgewright`."""

from .cli import main

if __name__ == "__main__":
    main()
