"""manifests/, with the words in it that are values of the chart."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chart import holes
from toolchain.places import CHECKOUT

MANIFESTS: Final = CHECKOUT / "manifests"
COMPONENTS: Final = MANIFESTS / "components"
NAME: Final = "kai-snapshot-operator"
_EACH: Final = {
    "claim": ("claims", "archives"),
    "namespace": ("namespaces", "team-a"),
}
"""Components to be copied: the list of names in the values, and the name that stands for any of them."""
_HERE: Final = {"kai-snapshots": "{{ $.Release.Namespace }}"}
_IMAGE: Final = '{{ include "kai-snapshot-operator.image" $ }}'


def components() -> list[str]:
    """Their names, those that are copied first."""
    found = sorted(path.parent.name for path in COMPONENTS.glob("*/kustomization.yaml"))
    return [*_EACH, *(name for name in found if name not in _EACH)]


def switch(component: str) -> str:
    """The block of Helm's that has what the component adds."""
    return f"range .Values.{_EACH[component][0]}" if component in _EACH else f"if .Values.{component}.enabled"


def words(component: str | None = None) -> Mapping[str, str]:
    """Words in the component's files, and what takes their place in the chart."""
    return {**_HERE, _EACH[component][1]: "{{ . }}"} if component in _EACH else _HERE


def replaced(value: Any, words: Mapping[str, str]) -> Any:
    """The same, changed in place: each word replaced in all texts, and the operator's image by that of the values."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            value[key] = replaced(value[key], words)
    elif isinstance(value, str) and value.startswith(f"{NAME}:"):
        return _IMAGE
    elif isinstance(value, str):
        pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
        return re.sub(pattern, lambda found: words[found[0]], value)
    return value


def kustomization(folder: Path) -> Any:
    """The kustomization.yaml there."""
    (document,) = holes.load((folder / "kustomization.yaml").read_text())
    return document
