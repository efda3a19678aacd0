"""The command line: one small module per command, loaded when it is called."""

import sys


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    from rowlift.cli.app import run

    sys.exit(run(sys.argv[1:]))
