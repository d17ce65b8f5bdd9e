"""`python -m ms`: the same as `msc`."""

import sys

from ms.cli import main

if __name__ == "__main__":
    sys.exit(main())
