"""Makes pytest explain failed assertions in `support` as well, where suites shared by unit and e2e tests are."""

import pytest

pytest.register_assert_rewrite("support")
