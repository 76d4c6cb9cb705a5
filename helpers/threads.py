"""How do PyTorch's threads behave on a machine that others use too?"""

import os


def settle() -> None:
    """Set up the waiting of OpenMP's threads; must run before torch loads its library."""
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
