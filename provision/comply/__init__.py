"""Graded protection (等级保护 2.0): the checks of GB/T 22239-2019, level three, that a machine can make.

Over the configurations as they are planned, and over live facts where an instance runs.  Every result is pass, fail
or not assessable, with its evidence: the line, the device, the time, the clause.  There is no score: what a machine
cannot see stays an assessor's work.
"""

from provision.comply.assess import Report, assess
from provision.comply.subject import Facts, Subject, Switch, planned

__all__ = ["Facts", "Report", "Subject", "Switch", "assess", "planned"]
