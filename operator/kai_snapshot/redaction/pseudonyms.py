"""What a name becomes: a pseudonym that depends on the key and the name alone, and sorts as the name does.

A name is followed half a byte at a time through a tree. Each branch gets a part of a range of numbers, in order, and
how large a part is drawn by the key; the pseudonym is a number out of the part that the whole name gets, to the base
36. That is an arithmetic code whose model nobody knows without the key. So nothing has to be remembered from one
archive to the next for the two to match. Decision 0020 says what it gives away.
"""

import hashlib
import re
from bisect import bisect
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import mul
from typing import Any, Final, NamedTuple

from kai_snapshot.redaction.key import Key


class _Among(NamedTuple):
    """Names that stay, in their order, and what begins a pseudonym of one before, between and after them."""

    kept: tuple[str, ...]
    beginnings: tuple[str, ...]

    def beginning(self, name: str) -> str:
        """By which a pseudonym sorts among those that stay as its name does."""
        return self.beginnings[bisect(self.kept, name)]


_NAMES: Final = _Among(("default",), ("a", "n"))
"""KAI says `default` itself of a subgroup and a node pool without a name."""
_CLASSES: Final = _Among(
    (
        "compute-domain-daemon.nvidia.com",
        "compute-domain-default-channel.nvidia.com",
        "gpu.nvidia.com",
        "mig.nvidia.com",
        "vfio.gpu.nvidia.com",
    ),
    ("a", "compute-domain-dd", "d", "h", "n", "w"),
)
"""Classes of devices that NVIDIA's driver makes."""
TEXT, MORE = "x", "y"
"""What begins the pseudonym of a text, and a further part of a long one."""
SHORT: Final = (16, 32)
"""Digits of a pseudonym if so many are enough, so that its length tells little of that of the name."""
PART, PARTS = 62, 3
"""Digits of a part, which is as long as a label of DNS and the value of a label may be; parts of a long pseudonym."""
TEXT_DIGITS: Final = 24
PSEUDONYM: Final = re.compile(
    rf"(?<![0-9A-Za-z])(?:(?:{'|'.join(sorted({*_NAMES.beginnings, *_CLASSES.beginnings}))})(?:"
    rf"[0-9a-z]{{{PART}}}(?:\.{MORE}[0-9a-z]{{{PART}}})*|[0-9a-z]{{{SHORT[1]}}}|[0-9a-z]{{{SHORT[0]}}})"
    rf"|{TEXT}[0-9a-z]{{{TEXT_DIGITS}}})(?![0-9A-Za-z])"
)
"""Finds pseudonyms in a text."""
GPU: Final = "gpu"
"""KAI takes a resource for GPUs if its name ends so, and a class of devices if it has it anywhere, in any case."""
_NOWHERE, _WITHIN, _AT_END = "", GPU + "0", "0" + GPU
"""How pseudonyms of these end, by where the name has it; what comes before has no `u`, so none comes by chance."""

_BASE: Final = 36
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = tuple(first + second for first in _DIGITS for second in _DIGITS)
_PAIRS_WITHOUT_U: Final = tuple(pair for pair in _PAIRS if "u" not in pair)
_WIDTH: Final = _BASE**PART
_LONGER: Final = _BASE ** (PART * (PARTS - 1))
_ROOM: Final = _BASE**13
"""A range that is not larger is not divided any more: chance tells the names in it apart, of which there is enough."""

_LONGEST_REMEMBERED: Final = 253
_FACTORS: Final = bytes(16 + each * 15 // 16 for each in range(256))
"""What the key's bytes become: a branch may be 16 times as large as another one that is expected as often."""
_HIGH: Final = (10, 1, 1, 14, 24, 6, 6, 64, 40, 1, 1, 1, 1, 1, 1, 1, 1)
"""How often the end of a name, and each upper half of a byte, is expected: most are lower case letters and digits."""
_EVEN: Final = (4,) * 16
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOW: Final = {
    0x2: (1,) * 13 + (24, 12, 6),  # "-", "." and "/"
    0x3: (8,) * 10 + (1,) * 6,
    0x6: (1,) + (8,) * 15,
    0x7: (8,) * 11 + (1,) * 5,
}
"""The same of each lower half, by the upper half; of others all alike."""


class _Range(NamedTuple):
    """The numbers that a beginning of a name has."""

    first: int
    width: int
    hashed: Any
    """The beginning, hashed with the key; hashlib does not say of what type."""

    def end(self) -> "_Range":
        """Of the name that ends here."""
        sizes = list(accumulate(map(mul, _HIGH, self.hashed.digest()[:17].translate(_FACTORS)), initial=0))
        return _Range(self.first, self.width * sizes[1] // sizes[-1], None)

    def after(self, byte: int) -> "_Range":
        """Of the names that go on like that."""
        chance = self.hashed.digest().translate(_FACTORS)
        high = byte >> 4
        first, width = _part(self.first, self.width, high + 1, _HIGH, chance)
        first, width = _part(first, width, byte & 15, _LOW.get(high, _EVEN), chance[17:])
        return _Range(first, width, self._hashed(byte))

    def after_even(self, byte: int) -> "_Range":
        """The same, where each byte is as likely as any other."""
        chance = self.hashed.digest().translate(_FACTORS)
        first, width = _part(self.first, self.width, byte >> 4, _EVEN, chance)
        first, width = _part(first, width, byte & 15, _EVEN, chance[17:])
        return _Range(first, width, self._hashed(byte))

    def _hashed(self, byte: int) -> Any:
        hashed = self.hashed.copy()
        hashed.update(bytes((byte,)))
        return hashed

    def longer(self) -> "_Range":
        """The same in more digits."""
        return self._replace(first=self.first * _LONGER, width=self.width * _LONGER)

    def in_fewer_digits(self, length: int) -> "_Range":
        """The same part of all numbers of that length without a `u`."""
        fewer, all_ = len(_PAIRS_WITHOUT_U) ** (length // 2), len(_PAIRS) ** (length // 2)
        first = -(-self.first * fewer // all_)
        return self._replace(first=first, width=(self.first + self.width) * fewer // all_ - first)


def _part(first: int, width: int, branch: int, expected: Sequence[int], chance: bytes) -> tuple[int, int]:
    ends = list(accumulate(map(mul, expected, chance), initial=0))
    start = width * ends[branch] // ends[-1]
    return first + start, width * ends[branch + 1] // ends[-1] - start


class Pseudonyms:
    """Makes them. `told` hears of each pseudonym of a name; of one that comes again, perhaps again."""

    def __init__(self, key: Key, told: Callable[[str, str], None]) -> None:
        self._told = told
        self._choice = hashlib.blake2b(key=key.for_("choice"), digest_size=64)
        self._text = hashlib.blake2b(key=key.for_("text"), digest_size=32)
        self._last = b""
        self._ranges = [_Range(0, _WIDTH, hashlib.blake2b(key=key.for_("order"), digest_size=33))]
        self._uids = _Range(0, _WIDTH, hashlib.blake2b(key=key.for_("uids"), digest_size=33))
        self.name = _remembered(lambda text: self._ordered(text, in_parts=True), 1 << 14)
        """Of a name: at most 190 characters."""
        self.label = _remembered(lambda text: self._ordered(text, in_parts=False), 1 << 14)
        """Of the value of a label: the same, but at most 63 characters; so long values that have their first forty or
        more in common may sort otherwise."""
        self.resource = _remembered(lambda text: self._marked(text, _NAMES, within=_NOWHERE), 1 << 10)
        """Of the name of a resource: as of the value of a label, and it ends with `gpu` if the name does."""
        self.device_class = _remembered(lambda text: self._marked(text, _CLASSES, within=_WITHIN), 1 << 10)
        """Of that of a class of devices: the same, and it has `gpu` in it if the name does. NVIDIA's own stay."""
        self.uid = _remembered(self._uid, 1 << 10)
        """Of a UID: those of the form of a UUID, which have half the bytes of a name, sort among each other."""
        self.text = _remembered(self._hashed, 1 << 12)
        """Of a text that no result has: what is equal stays equal, and that is all. Nobody is told of it."""

    def _hashed(self, text: str) -> str:
        return TEXT + _digits(_number(self._text, text) % _BASE**TEXT_DIGITS, TEXT_DIGITS) if text else ""

    def _ordered(self, text: str, *, in_parts: bool) -> str:
        if text == "" or text in _NAMES.kept:
            return text
        numbers, lengths = self._numbers(text.encode("utf-8", "surrogatepass"), in_parts=in_parts)
        return self._said(text, _NAMES, _choose(numbers, lengths, self._chance(text)))

    def _marked(self, text: str, among: _Among, *, within: str) -> str:
        if text == "" or text in among.kept:
            return text
        mark = _AT_END if text.endswith(GPU) else within if GPU in text.lower() else _NOWHERE
        numbers, lengths = self._numbers(text.encode("utf-8", "surrogatepass"), in_parts=False)
        numbers = numbers.in_fewer_digits(lengths[-1])
        return self._said(text, among, _choose(numbers, lengths, self._chance(text), _PAIRS_WITHOUT_U, mark))

    def _uid(self, text: str) -> str:
        if _UUID.fullmatch(text) is None:
            return self.name(text)
        numbers = self._uids
        for byte in bytes.fromhex(text.replace("-", "")):
            numbers = numbers.after_even(byte)
        return self._said(text, _NAMES, _choose(numbers, (SHORT[-1], PART), self._chance(text)))

    def _chance(self, text: str) -> int:
        return _number(self._choice, text)

    def _said(self, text: str, among: _Among, digits: str) -> str:
        parts = (digits[at : at + PART] for at in range(0, len(digits), PART))
        pseudonym = among.beginning(text) + f".{MORE}".join(parts)
        self._told(pseudonym, text)
        return pseudonym

    def _numbers(self, name: bytes, *, in_parts: bool) -> tuple[_Range, Sequence[int]]:
        """The range of a name, and the numbers of digits that may be enough for one out of it, the last for sure."""
        ranges = self._ranges
        common = next((i for i, (a, b) in enumerate(zip(name, self._last, strict=False)) if a != b), None)
        known = min(len(name), len(self._last)) if common is None else common
        del ranges[known + 1 :]
        self._last = name
        for byte in name[len(ranges) - 1 :]:
            if ranges[-1].width <= _ROOM:
                break
            ranges.append(ranges[-1].after(byte))
        found = ranges[-1]
        if found.width > _ROOM:
            return found.end(), (*SHORT, PART)
        if not in_parts:
            return found, (PART,)
        found = found.longer()
        for byte in name[len(ranges) - 1 :]:
            if found.width <= _ROOM:
                return found, (PART * PARTS,)
            found = found.after(byte)
        if found.width <= _ROOM:
            return found, (PART * PARTS,)
        return found.end(), range(2 * PART, PART * PARTS + 1, PART)


def _remembered(make: Callable[[str], str], most: int) -> Callable[[str], str]:
    """Remembers what came last, but no long texts: the data of a ConfigMap may be a megabyte."""
    kept = lru_cache(maxsize=most)(make)
    return lambda text: kept(text) if len(text) <= _LONGEST_REMEMBERED else make(text)


def _choose(numbers: _Range, lengths: Sequence[int], chance: int, pairs: Sequence[str] = _PAIRS, mark: str = "") -> str:
    """One of the numbers, in as few digits as it takes for all that begin with them to be in the range. A mark takes
    the place of the last ones."""
    for length in lengths:
        unit = len(pairs) ** ((lengths[-1] - length + len(mark)) // 2)
        lowest = -(-numbers.first // unit)
        if (many := (numbers.first + numbers.width) // unit - lowest) > 0:
            return _digits(lowest + chance % many, length - len(mark), pairs) + mark
    raise AssertionError("a range is never empty")


def _number(hashed: Any, text: str) -> int:
    found = hashed.copy()
    found.update(text.encode("utf-8", "surrogatepass"))
    return int.from_bytes(found.digest())


def _digits(number: int, length: int, pairs: Sequence[str] = _PAIRS) -> str:
    """An even number of digits, of which there are those in the pairs."""
    found = []
    for _ in range(length // 2):
        number, pair = divmod(number, len(pairs))
        found.append(pairs[pair])
    return "".join(reversed(found))
