"""What must stay true of the tree itself."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_python_file_lies_directly_in_operator_where_it_would_hide_the_standard_library() -> None:
    assert list((ROOT / "operator").glob("*.py")) == []


def test_modules_stay_small_enough_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / "operator").rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 300
    }
    assert long == {}
