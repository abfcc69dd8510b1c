"""``python -m geoprobe`` is the program ``geoprobe``."""

from geoprobe.cli import main

main()
