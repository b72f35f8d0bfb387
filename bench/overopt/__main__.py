"""``python -m overopt`` is the same command as ``bench``."""

from overopt.cli import main

if __name__ == "__main__":
    main()
