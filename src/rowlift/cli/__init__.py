"""The command line: one small module per command, loaded when it is called."""

import gc
import os
import signal
import sys

OBJECTS_PER_COLLECTION = 400_000


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    signal.signal(signal.SIGINT, _leave)
    # A start makes a quarter of a million objects that stay: looking through them every 700 is a
    # fifth of it, and twice in all still 0.08 s.
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    # pydantic would look through every installed package for others to hand what it checks to.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from rowlift.cli.app import run
        from rowlift.cli.streams import prepare

        prepare()
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before or after anything was done
        os._exit(130)
    gc.freeze()  # or the end would take apart, one by one, what goes with the process
    sys.exit(code)


def _leave(_number: int, _frame: object) -> None:
    """End the process while nothing is done yet, or all is done."""
    os._exit(130)
