"""Every deliberate difference from upstream: why, and what this project answers instead.

A key is the id of a case in request_cases.py; what isn't named in `ours` has to be as upstream's.
docs/django-compatibility.md has the same list for readers.
"""

import dataclasses


@dataclasses.dataclass
class Difference:
    reason: str
    ours: dict


DIFFERENCES = {}
