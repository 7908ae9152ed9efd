"""The fenced blocks of the documents, and a place to run them as they are printed."""

import contextlib
import dataclasses
import os
import pathlib
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time

from servers import SECRET, binary, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "crates").glob("*/README.md"))]
COMMANDS = ("sh", "bash", "console", "shell")
SHELLS = ("bash", "dash")
PATIENCE = 60
MARK = re.compile(r"<!-- not run: (.+) -->")
# What a reader puts in place of what is printed, and the binary that was built already.
REWRITTEN = {
    "cargo run --release --": "simplejwt",
    "sqlite:////srv/app/db.sqlite3": "sqlite:///{database}",
    "'…'": "'" + SECRET + "'",
    "127.0.0.1:8001": "127.0.0.1:{port}",
}


@dataclasses.dataclass
class Block:
    page: str
    heading: str
    line: int
    language: str
    text: str
    # Why it isn't run, where a mark says so.
    excuse: str = ""

    @property
    def place(self):
        return f"{self.page}:{self.line}"


def blocks(path):
    """Those of one page, in order. A fence may be indented, as in a list."""
    found, heading, excuse, open_block, indent = [], "", "", None, ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = re.match(r"( *)```+ *(\S*)", line)
        if open_block is not None:
            if fence and not fence[2]:
                found.append(open_block)
                open_block = None
            else:
                open_block.text += line.removeprefix(indent) + "\n"
        elif fence:
            indent = fence[1]
            page = str(path.relative_to(ROOT))
            open_block = Block(page, heading, number, fence[2].split(",")[0], "", excuse)
        elif title := re.match(r"#+ (.+)", line):
            heading = title[1]
        mark = MARK.fullmatch(line.strip())
        excuse = mark[1] if mark else ""
    assert open_block is None, f"{open_block.place}: a block without an end"
    return found


def all_blocks():
    return [block for path in PAGES for block in blocks(path)]


class Place:
    """A fresh folder, a shell, and `simplejwt` in PATH."""

    def __init__(self, folder, shell, **environment):
        self.folder, self.shell, self.port = folder, shell, free_port()
        self.database = folder / "db.sqlite3"
        self.programs = folder / ".programs"
        self.programs.mkdir()
        (self.programs / "simplejwt").symlink_to(binary())
        self.program("python", f'exec {shlex.quote(sys.executable)} "$@"')
        self.environment = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            # Where a server of the documents would take a port that somebody has.
            "SIMPLEJWT_BIND": f"127.0.0.1:{self.port}",
            # No proxy has to be told first.
            "SIMPLEJWT_DRAIN_DELAY": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }
        self.log = folder / ".log"

    def program(self, name, text):
        """A script in PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def written(self, text):
        for printed, used in REWRITTEN.items():
            text = text.replace(printed, used.format(database=self.database, port=self.port))
        return text

    def command(self, text):
        # A line that fails is a failure, also in the middle.
        return [self.shell, "-euc", self.written(text)]

    def run(self, block, **environment):
        """To its end; what it printed."""
        text = block.text if isinstance(block, Block) else block
        done = subprocess.run(
            self.command(text),
            env={**self.environment, **environment},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        place = block.place if isinstance(block, Block) else text
        assert done.returncode == 0, f"{place} in {self.shell}: {done.returncode}\n{done.stdout}"
        return done.stdout

    @contextlib.contextmanager
    def serving(self, block):
        """One whose last command serves: once it listens, until the end."""
        text = block.text if isinstance(block, Block) else block
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                self.command(text),
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.wait(process, f"listening on http://127.0.0.1:{self.port}")
            yield self
        finally:
            self.end(process)

    @staticmethod
    def end(process):
        """The shell and what it has started, to the last of them: the port is free then."""
        until = time.monotonic() + PATIENCE
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            while time.monotonic() < until:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.02)
        process.wait(PATIENCE)

    def wait(self, process, part):
        until = time.monotonic() + PATIENCE
        while part not in self.log.read_text():
            ended = process.poll() is not None
            assert not ended and time.monotonic() < until, f"{part!r} never comes:\n{self.log.read_text()}"
            time.sleep(0.05)

    def paste(self, text, answers=()):
        """Into the shell at a terminal, all at once; each answer is typed when its question is there."""
        # Readline asks the terminal for what the text tells apart.
        options = ["--norc", "--noprofile", "--noediting"] if self.shell == "bash" else []
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [self.shell, *options, "-i"],
            env={**self.environment, "TERM": "dumb", "PS1": "$ ", "HISTFILE": "/dev/null"},
            cwd=self.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            return self.talk(ours, text, list(answers))
        finally:
            os.close(ours)
            process.kill()
            process.wait(PATIENCE)

    @staticmethod
    def talk(terminal, text, answers):
        """What the terminal shows, up to the end of all commands."""
        end = "the end of all of it"
        left = f"{text}\n".encode()
        # Typed only when nothing is asked for any longer, or it would be the answer.
        closing = f"printf '%s %s\\n' 'the end' 'of all of it'\n".encode()
        shown, until = "", time.monotonic() + PATIENCE
        while end not in shown:
            assert time.monotonic() < until, f"no end:\n{shown}"
            if answers and answers[0][0] in shown:
                left += f"{answers.pop(0)[1]}\n".encode()
            if not answers and closing:
                left, closing = left + closing, b""
            readable, writable, _ = select.select([terminal], [terminal] if left else [], [], 1)
            if readable:
                shown += os.read(terminal, 65536).decode(errors="replace")
            if writable:
                line, newline, rest = left.partition(b"\n")
                os.write(terminal, line + newline)
                left = rest
        return shown.replace("\r\n", "\n")
