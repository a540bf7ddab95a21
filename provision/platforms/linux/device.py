#!/usr/bin/python3 -SE
"""The device tool, pushed to /etc/sanwang/bin/device at enrolment: ``device --help`` tells its calls.

All of it is in modules, which Python compiles once and not at every call.
"""

import sys

from provision.platforms.linux.calls import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
