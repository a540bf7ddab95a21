"""``python -m sanwang``: the same as the ``sanwang`` command."""

import sys

from sanwang.main import main

sys.exit(main())
