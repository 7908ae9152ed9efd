"""How a program is asked: over HTTP, or by lines on its standard input."""

import subprocess

from issuer import answering
from scenario import IN, OUT, Consumer
from servers import Server


def start(stack, name, command, folder, **options):
    """A program in the foreground, which is killed at the end; what it prints is in the file `log`."""
    with (folder / "log").open("ab") as log:
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", log)
        process = subprocess.Popen(command, cwd=folder, stderr=log, **options)
    stack.callback(end, process)
    return process


def end(process):
    process.kill()
    process.wait()


class Web(Consumer):
    """One that answers 200 to whom it lets in, and one of `refusals` to the others."""

    path = "/"
    refusals = (401, 403)
    # What a proxy in front of it would say.
    headers = ()

    def says(self, token):
        answer = self.server.send("GET", self.path, [("Authorization", f"Bearer {token}"), *self.headers])
        why = f"{answer.status} {answer.header('WWW-Authenticate')} {answer.body[:300]}"
        if answer.status not in (200, *self.refusals):
            lines = self.server.log.read_text(errors="replace").splitlines()
            return "neither", "\n".join([why, *lines[-8:]])
        return IN if answer.status == 200 else OUT, why

    def serve(self, stack, command, folder, port, **options):
        process = start(stack, self.name, command, folder, **options)
        self.server = Server(self.name, port, process, folder / "log")
        answering(self.server)


class Lines(Consumer):
    """One that answers each line with a token by a line that begins with `in` or `out`."""

    process = None

    def says(self, token):
        self.process.stdin.write(f"{token}\n")
        self.process.stdin.flush()
        word, _, why = self.process.stdout.readline().strip().partition(" ")
        return word or "ended", why

    def ask(self, stack, command, folder, **options):
        self.process = start(
            stack, self.name, command, folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )
        ready = self.process.stdout.readline()
        if ready != "ready\n":
            raise RuntimeError(f"{self.name}: {ready!r}\n{(folder / 'log').read_text()}")


