"""`python -m rowlift`."""

from rowlift.cli import main

main()
