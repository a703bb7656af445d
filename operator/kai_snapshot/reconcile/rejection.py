"""What to say of an object that cannot be read as its kind, such as one from before a change of the CRD."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from kai_snapshot.api.conditions import READY, STALLED, Condition, claim, update
from kai_snapshot.errors import Reason


def status(resource: Mapping[str, Any], error: ValidationError, now: datetime) -> dict[str, Any]:
    """The status with Ready=False/InvalidSpec; what else it says is kept."""
    first = error.errors(include_url=False, include_input=False)[0]
    message = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    generation = resource["metadata"]["generation"]
    before = resource.get("status", {})
    old = [Condition.model_validate(condition) for condition in before.get("conditions", ())]
    claims = [claim(READY, "False", Reason.INVALID_SPEC, message), claim(STALLED, "True", Reason.INVALID_SPEC, message)]
    conditions = [condition.dump() for condition in update(old, claims, now=now, generation=generation)]
    return {**before, "observedGeneration": generation, "conditions": conditions}
