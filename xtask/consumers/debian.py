"""Programs of a Debian system of their own, `cargo xtask consumers` makes it: nothing here is installed or started."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from kinds import start

ROOT = pathlib.Path(os.environ.get("SIMPLEJWT_CONSUMERS_SYSTEM", "."))
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


def version(package):
    """The program's, without what Debian adds to it."""
    command = ["chroot", str(ROOT), "dpkg-query", "--show", "--showformat", "${Version}", package]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(r"^\d+:|[+~-].*$", "", text)


def inside(command, folder, **environment):
    """The command in a process namespace of its own: all that it starts ends with it."""
    environment = {**ENVIRONMENT, **environment}
    words = ["unshare", "--pid", "--fork", "--kill-child", f"--mount-proc={ROOT}/proc", "chroot", str(ROOT)]
    # A first process that stays root: who changes the account isn't ended with its parent.
    words += ["env", "-i", f"--chdir={folder.inside}", *(f"{name}={value}" for name, value in environment.items())]
    return [*words, "sh", "-c", '"$@"; exit $?', "sh", *map(str, command)]


class Folder:
    """A folder that has one name here and another inside."""

    def __init__(self, stack, name):
        (ROOT / "work").mkdir(exist_ok=True)
        self.outside = pathlib.Path(tempfile.mkdtemp(prefix=f"{re.sub('[^a-z]+', '-', name.lower())}-", dir=ROOT / "work"))
        self.outside.chmod(0o755)
        stack.callback(shutil.rmtree, self.outside, ignore_errors=True)
        self.inside = pathlib.Path("/work") / self.outside.name

    def write(self, name, text, mode=0o644):
        path = self.outside / name
        path.write_text(text)
        path.chmod(mode)
        return self.inside / name


def run(stack, name, command, folder, **environment):
    """In the foreground, until the end."""
    return start(stack, name, inside(command, folder, **environment), folder.outside)


