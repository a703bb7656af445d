"""A reader of the documentation: at a terminal, in a fresh checkout, with a cluster."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from support.docblocks import Block, lines
from support.edited import edited
from toolchain.places import CHECKOUT

_CHECKED_OUT = (
    "Dockerfile", "LICENSE", "Makefile", "README.md", "crds", "docs", "manifests", "operator", "pyproject.toml",
    "requirements", "tools",
)  # fmt: skip
_COMMAND_SECONDS = 600
_SERVE_SECONDS = 60
_ADDRESS = re.compile(r"(?:http://|Forwarding from )(127\.0\.0\.1:\d+)")


class Reader:
    """Does what a page says, block by block: variables that are exported, and the directory, stay."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.checkout = home / "kai-snapshot-operator"
        self._environment = dict(environment)
        self._state = home / "state.sh"
        self.checkout.mkdir(parents=True)
        for source in (CHECKOUT / name for name in _CHECKED_OUT):
            if source.is_dir():
                shutil.copytree(source, self.checkout / source.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.checkout)
        for sample in (self.checkout / "manifests" / "samples").glob("*.yaml"):
            sample.write_text(edited(sample.read_text()))
        self._state.write_text(f"cd {shlex.quote(str(self.checkout))}\n")

    def read(self, block: Block) -> None:
        """Follows a block. Raises AssertionError where it does not do what the page says."""
        for name, text in block.files:
            self.run(f"cat > {shlex.quote(name)} <<'END-OF-FILE'\n{edited(text)}END-OF-FILE\n")
        for command in block.commands:
            if block.until_stopped:
                for line in lines(command.text):
                    self._serve(line)
                continue
            said = self.run(command.text, exit_code=block.exit_code)
            if command.shown is not None:
                shown = re.compile(".*".join(map(re.escape, " ".join(command.shown.split()).split("..."))))
                printed = (" ".join(line.split()) for line in said.splitlines())
                assert any(map(shown.fullmatch, printed)), f"{block.name} shows another output:\n{said}"

    def run(self, script: str, *, exit_code: int = 0) -> str:
        """What a piece of shell prints on both streams."""
        kept = f"trap 'code=$?; {{ export -p; echo \"cd ${{PWD@Q}}\"; }} > {self._state}; exit $code' EXIT\n"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"source {self._state}\n{kept}{script}"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == exit_code, f"exit code {done.returncode} of\n{script}\n{done.stdout}"
        return done.stdout

    def _serve(self, command: str) -> None:
        """Starts what serves until it is stopped, has an answer of it, and stops it as Ctrl-C does."""
        process = subprocess.Popen(
            ["bash", "-euc", f"source {self._state}\nexec {command}"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        deadline = threading.Timer(_SERVE_SECONDS, process.kill)
        deadline.start()
        said = ""
        try:
            with process:
                for line in process.stdout:
                    said += line
                    if address := _ADDRESS.search(line):
                        assert _answer(f"http://{address[1]}/") < 500, command
                        break
                else:
                    raise AssertionError(f"{command} does not say where it serves, but\n{said}")
                os.killpg(process.pid, signal.SIGINT)
                said += process.stdout.read()
            assert process.returncode in (0, 130, -signal.SIGINT), f"{command} ended with {process.returncode}\n{said}"
        finally:
            deadline.cancel()
            process.kill()


def _answer(address: str) -> int:
    """The status of an answer, wherever it leads."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(address, timeout=_SERVE_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
