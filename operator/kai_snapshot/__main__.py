"""`python -m kai_snapshot` is the command `kai-snapshot`."""

from kai_snapshot.cli import main

main()
