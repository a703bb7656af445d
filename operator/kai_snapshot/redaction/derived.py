"""Names that KAI derives from others, which those of pseudonyms would not be: they are written out before redaction."""

from typing import Any, Final

from kai_snapshot.redaction.keyed import SHARED_CONFIG_MAP

_CONFIG_MAPS: Final = ("configMap", "configMapRef", "configMapKeyRef")


def write_out(pod: dict[str, Any]) -> None:
    """Of a pod, in place."""
    metadata, spec = pod.get("metadata"), pod.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return
    _claims(spec.get("volumes"), metadata.get("name"))
    annotations = metadata.get("annotations")
    prefix = annotations.get(SHARED_CONFIG_MAP) if isinstance(annotations, dict) else None
    if isinstance(prefix, str) and prefix:
        _shorten(spec, prefix)


def _claims(volumes: Any, pod: object) -> None:
    """The claim of an ephemeral volume is called for the pod and the volume; it becomes one that the pod names."""
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, dict) and volume.pop("ephemeral", None) is not None:
            volume["persistentVolumeClaim"] = {"claimName": f"{pod}-{volume.get('name')}"}


def _shorten(value: Any, prefix: str) -> None:
    """ConfigMaps whose names begin as an annotation says need not be there: what follows that beginning goes."""
    if isinstance(value, dict):
        for of, below in value.items():
            if of in _CONFIG_MAPS and isinstance(below, dict) and str(below.get("name")).startswith(prefix):
                below["name"] = prefix
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _shorten(each, prefix)
