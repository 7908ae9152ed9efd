"""Slurm's controller, asked by its own client with the token in SLURM_JWT."""

import base64
import os
import subprocess

import debian
from issuer import wait
from page import theirs
from scenario import IN, OUT, Consumer
from servers import free_port

FRAME = """\
ClusterName=consumer
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmctldPidFile={folder}/pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmUser=root
StateSaveLocation={folder}/state
AuthType=auth/slurm
CredType=cred/slurm
AuthInfo=use_client_ids
{page}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
MpiDefault=none
NodeName=node State=FUTURE
PartitionName=all Nodes=ALL Default=YES
"""


class Slurm(Consumer):
    name = "Slurm"
    needs = ("system",)
    way = "keys in a file"
    expected = {"refresh": IN}

    def version(self):
        return debian.version("slurmctld")

    def start(self, issuer, folder, stack):
        self.stack = stack
        self.begin(issuer)

    def rotated(self, issuer, folder):
        self.begin(issuer)

    def begin(self, issuer):
        self.port = free_port()
        self.place = debian.Folder(self.stack, self.name)
        (self.place.outside / "state").mkdir()
        self.place.write("slurm.key", base64.b64encode(os.urandom(64)).decode(), 0o600)
        keys = self.place.write("jwks.json", issuer.public("jwks"))
        page = theirs(self.name, "slurm", issuer, {"/etc/slurm/jwks.json": keys})
        text = FRAME.format(page=page, port=self.port, folder=self.place.inside)
        self.environment = {"SLURM_CONF": self.place.write("slurm.conf", text)}
        self.process = debian.run(self.stack, self.name, ["slurmctld", "-D"], self.place, **self.environment)
        wait(self.answers, f"Slurm answers\n{self.log()}", 30)

    def log(self):
        files = [self.place.outside / name for name in ("log", "slurmctld.log")]
        return "\n".join("\n".join(file.read_text().splitlines()[-8:]) for file in files if file.exists())

    def ask(self, **environment):
        command = debian.inside(["scontrol", "show", "partition"], self.place, **self.environment, **environment)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode == 0 and "PartitionName=all" in done.stdout, done.stdout + done.stderr

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"slurmctld ended:\n{self.log()}")
        return self.ask()[0]

    def says(self, token):
        # With the user's own account, so that nothing else lets the client in.
        good, why = self.ask(SLURM_JWT=token)
        return (IN if good else OUT), f"{why}\n{self.log()}"


CONSUMERS = [Slurm]
