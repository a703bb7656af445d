"""In which way a run succeeded: who the archive is from, and what a person should know of that."""

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.errors import Reason


def how(manifest: Manifest) -> Reason:
    """In which way a run succeeded."""
    if manifest.built_from_api is not None:
        return Reason.SUCCEEDED_FROM_API
    return Reason.SUCCEEDED_HEALED if manifest.healed else Reason.SUCCEEDED


def remark(manifest: Manifest) -> str:
    """What a person should know of an archive that the scheduler did not serve."""
    built = manifest.built_from_api
    if built is None or built.because is None:
        return ""
    return f"built from the API server, the scheduler did not answer: {built.because.reason}: {built.because.message}"
