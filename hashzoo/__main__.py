"""`python -m hashzoo`."""

import sys

from hashzoo.cli import main

sys.exit(main())
