"""``python -m geoprobe`` is the program ``geoprobe``."""

from geoprobe.cli import main

if __name__ == "__main__":
    main()
