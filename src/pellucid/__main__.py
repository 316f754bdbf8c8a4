"""``python -m pellucid``: the command line, where the command itself is not on the path."""

import sys

from pellucid.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
