"""`python -m skfer.cli`, where the command is not on the path."""

import sys

from skfer.cli._main import main

if __name__ == "__main__":
    sys.exit(main())
