"""`python -m autoscaler` is the console script."""

import sys

from autoscaler.cli import main

sys.exit(main())
