"""Parsers of what devices print: tables out of ``show`` and ``display``.

>>> from provision.parsers.run import parse
>>> parse("huawei_vrp", "display version", text)  # doctest: +SKIP
[{'vrp_version': '5.160', ...}]
"""
