"""How Argo CD reads a status: our health script, run as Argo CD runs it."""

from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from lupa.lua51 import LuaRuntime  # Argo CD's interpreter is of Lua 5.1 too

SCRIPT = Path(__file__).parents[2] / "docs" / "argo-cd" / "health.lua"
CONFINE = """
debug.setmetatable("", nil)
for _, name in ipairs({"string", "math", "io", "os", "debug", "coroutine", "package", "require", "module", "python",
                       "dofile", "loadfile", "load", "loadstring", "print"}) do
  _G[name] = nil
end
"""
"""Argo CD gives a script the basic functions and `table`, and not even methods of strings."""


class Health(NamedTuple):
    """What Argo CD shows of an object."""

    status: str
    """Healthy, Degraded or Progressing."""
    message: str


class Interpreter:
    """A Lua without its standard libraries."""

    def __init__(self) -> None:
        self._lua = LuaRuntime(register_eval=False, register_builtins=False)
        self._lua.execute(CONFINE)
        self._lock = Lock()

    def health(self, obj: dict[str, Any], script: str) -> Health:
        """What the script says of the object. Raises lupa.LuaError."""
        with self._lock:
            self._lua.globals().obj = self._lua.table_from(obj, recursive=True)
            returned = dict(self._lua.execute(script))
        return Health(returned["status"], returned["message"])


_INTERPRETER = Interpreter()
_HEALTH = SCRIPT.read_text()


def health(obj: dict[str, Any]) -> Health:
    """What Argo CD shows of an object of ours that is not being deleted."""
    return _INTERPRETER.health(obj, _HEALTH)
