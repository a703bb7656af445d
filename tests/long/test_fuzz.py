"""The fuzzing of the unit tests with many more examples, and other ones each time.

KAI_SNAPSHOT_FUZZ_EXAMPLES says how many; a failure is written down in .hypothesis and tried first the next time.
"""

import os

os.environ.setdefault("KAI_SNAPSHOT_FUZZ_EXAMPLES", "20000")

from unit.test_fuzz_archives import (
    test_a_bomb_of_valid_json_is_a_finding_within_the_memory_of_a_capture,
    test_a_document_of_anything_is_refused_or_counted,
    test_a_forged_archive_is_refused_or_is_what_others_read_as_well,
)
from unit.test_fuzz_objects import (
    claims,
    test_a_capture_of_any_spec,
    test_a_replay_of_any_spec,
    test_a_status_that_somebody_else_wrote,
)
from unit.test_fuzz_transfer import (
    served,
    test_what_is_no_request_at_all_is_dropped_too,
    test_whatever_is_sent_is_answered_or_dropped_and_nothing_is_left_behind,
    test_who_goes_away_in_the_middle_leaves_nothing_behind,
)
from unit.test_simulator_forms import (
    test_whatever_stands_anywhere_there_is_a_result_or_a_reason,
)
from unit.test_toollog_forms import (
    test_a_damaged_log_is_read_without_a_crash,
    test_garbage_is_read_without_a_crash_and_is_no_success,
)
from unit.test_views import test_what_is_not_a_snapshot_is_refused_and_breaks_nothing

__all__ = [
    "claims",
    "served",
    "test_a_bomb_of_valid_json_is_a_finding_within_the_memory_of_a_capture",
    "test_a_capture_of_any_spec",
    "test_a_damaged_log_is_read_without_a_crash",
    "test_a_document_of_anything_is_refused_or_counted",
    "test_a_forged_archive_is_refused_or_is_what_others_read_as_well",
    "test_a_replay_of_any_spec",
    "test_a_status_that_somebody_else_wrote",
    "test_garbage_is_read_without_a_crash_and_is_no_success",
    "test_what_is_no_request_at_all_is_dropped_too",
    "test_what_is_not_a_snapshot_is_refused_and_breaks_nothing",
    "test_whatever_is_sent_is_answered_or_dropped_and_nothing_is_left_behind",
    "test_whatever_stands_anywhere_there_is_a_result_or_a_reason",
    "test_who_goes_away_in_the_middle_leaves_nothing_behind",
]
