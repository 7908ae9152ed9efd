"""ejabberd, asked by XMPP with the token for a password (SASL PLAIN)."""

import base64
import contextlib
import socket

import debian
from issuer import USER, wait
from page import theirs
from scenario import IN, OUT, Consumer
from servers import free_port

HOST = "example.org"
STREAM = f"<stream:stream to='{HOST}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
FRAME = """\
{page}
loglevel: debug
certfiles: []
"""


class Ejabberd(Consumer):
    name = "ejabberd"
    needs = ("system",)
    way = "one key"
    # It looks at nothing that tells the two apart.
    expected = {"refresh": IN, "older": OUT}

    def version(self):
        return debian.version("ejabberd")

    def start(self, issuer, folder, stack):
        self.stack = stack
        self.begin(issuer, issuer.kids()[0])

    def rotated(self, issuer, folder):
        self.begin(issuer, issuer.kids()[-1])

    def begin(self, issuer, kid):
        self.port = free_port()
        self.place = debian.Folder(self.stack, self.name)
        inside = self.place.inside
        key = self.place.write("key.jwk", issuer.public("jwk", f"--kid={kid}"))
        pairs = {"/etc/ejabberd/key.jwk": key, "port: 5222": f"port: {self.port}\n    ip: 127.0.0.1"}
        file = self.place.write("ejabberd.yml", FRAME.format(page=theirs(self.name, "ejabberd", issuer, pairs)))
        environment = {"HOME": inside, "EJABBERD_CONFIG_PATH": file, "ERL_CRASH_DUMP_BYTES": 0, "ERL_LIBS": "/usr/lib/x86_64-linux-gnu"}
        # As ejabberdctl does, without a node that others can talk to.
        code = ["-noinput", "-mnesia", "dir", f'"{inside}/spool"', "-ejabberd", "log_rate_limit", 1000]
        code += ["-ejabberd", "config", f'"{file}"', "-s", "ejabberd"]
        self.process = debian.run(self.stack, self.name, ["erl", *code], self.place, **environment)
        wait(self.answers, f"ejabberd listens\n{self.log()}", 60)

    def log(self):
        return "\n".join((self.place.outside / "log").read_text().splitlines()[-12:])

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"ejabberd ended:\n{self.log()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def says(self, token):
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(STREAM.encode())
            self.read(connection, "</stream:features>")
            plain = base64.b64encode(f"\0{USER}\0{token}".encode()).decode()
            connection.sendall(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>".encode())
            answer = self.read(connection, "<success", "</failure>")
        return (IN if "<success" in answer else OUT), f"{answer}\n{self.log()}"

    @staticmethod
    def read(connection, *ends):
        text = ""
        while not any(end in text for end in ends):
            data = connection.recv(65536)
            if not data:
                break
            text += data.decode()
        return text


CONSUMERS = [Ejabberd]
