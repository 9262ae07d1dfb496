from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("evidently") else ["test_evidently.py"]
"""`make test-all` runs it in an environment that has Evidently."""
