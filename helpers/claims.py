"""Does what the page says hold here, too?"""

import os
import sys


def claim(holds: bool, words: str) -> None:
    """Say that `words` should hold; `holds` says whether it does on this machine, in this run.

    In a reader's notebook nothing is printed when it holds, and a sentence when it does not; then the page goes on.
    Under pytest (nbval included) a claim that fails is an AssertionError.
    """
    if holds:
        return
    if "PYTEST_CURRENT_TEST" in os.environ or "pytest" in sys.modules:
        raise AssertionError(f"should hold: {words}")
    print(f"Here it is otherwise. On the machine that made this page it held: {words}")
