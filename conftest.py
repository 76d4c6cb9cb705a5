"""Settings for every test, the notebooks' kernels included (they inherit this process's environment)."""

import os

# The tests use what ships with the repository, whatever the reader has set for the complete CIFAR-10.
os.environ.pop("CIFAR10_DIR", None)
os.environ.pop("CIFAR10_URL", None)
