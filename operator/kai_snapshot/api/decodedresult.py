"""A ReplayResult read back: validated, but without a model for each of what may be hundreds of thousands of pods."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, ValidationError

from kai_snapshot.api.result import QueueResult, ResultFacts
from kai_snapshot.errors import Reason, TerminalError


@dataclass(frozen=True, slots=True)
class _Bound:
    pod: str
    node: str
    gpu_groups: Annotated[tuple[str, ...], Field(alias="gpuGroups")] = ()


@dataclass(frozen=True, slots=True)
class _Evicted:
    pod: str
    action: str = ""
    preemptor: str | None = None


@dataclass(frozen=True, slots=True)
class _Pipelined:
    pod: str
    node: str | None = None


@dataclass(frozen=True, slots=True)
class _Tried:
    name: str
    outcome: str
    queue: str | None = None
    reason: str | None = None


class DecodedResult(ResultFacts):
    """Of its lists, what statuses, comparisons and pages are made of, and how far results agree."""

    placements: list[_Bound]
    """Pods and nodes."""
    evictions: list[_Evicted]
    """Pods, and for whom."""
    pipelined: list[_Pipelined]
    """Pods, and nodes as far as they are known."""
    pod_groups: list[_Tried]
    """Jobs and their outcomes: those of a later release may have others than `JobOutcome`."""
    queues: tuple[QueueResult, ...] = ()
    """Queues and their shares."""

    @classmethod
    def decode(cls, content: bytes, *, where: str) -> Self:
        """The result in JSON; `where` is for messages. Raises TerminalError(InvalidResult), whatever it holds."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise invalid(where) from error

    @property
    def facts(self) -> ResultFacts:
        """What it says without naming pods and jobs."""
        runs = self.runs.model_copy(update={"frequencies": None}) if self.runs is not None else None
        return ResultFacts(**{name: getattr(self, name) for name in ResultFacts.model_fields} | {"runs": runs})


def invalid(where: str) -> TerminalError:
    """That what is there is no result."""
    return TerminalError(
        Reason.INVALID_RESULT,
        f"{where} is not a replay result of this release: it was damaged, or written by another release. Replay again.",
    )
