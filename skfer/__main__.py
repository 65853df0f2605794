"""``python -m skfer`` is the command ``skfer``, also where scripts are not on the path."""

import sys

from skfer.cli import main

if __name__ == "__main__":
    sys.exit(main())
