"""Files that a page says its reader has by now: an archive of the corpus, `NAME=CASE`, or one of those made here."""

from shlex import quote

from stage.images import CORPUS

_ENVIRONMENT = "kai-snapshot environment -f"
_CALMER = "sed -i -E 's|(/proc/sys/vm/swappiness.?: ).*|\\110|'"
_MADE = {
    "monday.yaml": f"{_ENVIRONMENT} monday.yaml",
    "friday.yaml": f"{_ENVIRONMENT} friday.yaml && {_CALMER} friday.yaml",
    "quota.yaml": (
        "echo '[{target: {kind: Queue, name: research-0}, "
        'patch: "[{op: add, path: /spec/resources/gpu/quota, value: 15}]"}]\' > quota.yaml'
    ),
    "archives/": "kai-snapshot capture --dir archives --capture kai-snapshots/hourly",
    "out/": (
        "kai-snapshot replay incident.zip --tool v0.14.7=$(command -v snapshot-tool-v0.14.7)"
        " --tool v0.17.0=$(command -v snapshot-tool) --output-dir out"
    ),
    "redaction.key": "head -c 32 /dev/urandom | base64 > redaction.key",
    "result.json": "kai-snapshot simulate incident.zip -o json > result.json",
    "replayed.json": (
        "kai-snapshot replay incident.zip --tool v0.17.0=$(command -v snapshot-tool) --repetitions 8 -o json"
        " > replayed.json"
    ),
}


def making(given: str) -> str:
    """The shell that makes it. Raises KeyError for what is not known."""
    name, is_of, case = given.partition("=")
    if is_of:
        return f"cp {quote(str(CORPUS / case / 'snapshot.zip'))} {quote(name)}"
    return _MADE[given]
