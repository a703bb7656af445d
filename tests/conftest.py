"""Makes pytest explain failed assertions in `support` as well, where suites shared by unit and e2e tests are; and takes
the stopwatch away from Hypothesis: how fast something is, `make bench` says."""

import os

import pytest
from hypothesis import settings

os.environ["AWS_EC2_METADATA_DISABLED"] = "true"  # a storage without keys is to ask nobody outside for them

pytest.register_assert_rewrite("support")
settings.register_profile("no stopwatch", deadline=None)
settings.load_profile("no stopwatch")
