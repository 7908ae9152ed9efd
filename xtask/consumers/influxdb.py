"""InfluxDB 1, asked over HTTP."""

import debian
from issuer import USER, answering
from kinds import Web
from page import theirs
from scenario import IN, OUT
from servers import Server, free_port

FRAME = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
{page}
  bind-address = "127.0.0.1:{port}"
"""


class InfluxDB(Web):
    name = "InfluxDB"
    needs = ("system",)
    way = "one secret"
    path = "/query?q=SHOW+DATABASES"
    # It looks at nothing that tells the two apart.
    expected = {"refresh": IN, "older": OUT}

    def version(self):
        return debian.version("influxdb")

    def start(self, issuer, folder, stack):
        self.stack = stack
        self.begin(issuer, issuer.kids()[0])

    def rotated(self, issuer, folder):
        self.begin(issuer, issuer.kids()[-1])

    def begin(self, issuer, kid):
        place = debian.Folder(self.stack, self.name)
        port = free_port()
        secret = issuer.secret("--format", "raw", "--no-newline", f"--kid={kid}")
        values = {"port": port, "rpc": free_port(), "folder": place.inside}
        page = theirs(self.name, "influxdb", issuer, {"SECRET": secret})
        file = place.write("influxdb.conf", FRAME.format(page=page, **values))
        process = debian.run(self.stack, self.name, ["influxd", "-config", file], place)
        self.server = Server(self.name, port, process, place.outside / "log")
        answering(self.server)
        # The first user needs nobody's leave.
        made = self.server.send("POST", f"/query?q=CREATE+USER+{USER}+WITH+PASSWORD+'unused'+WITH+ALL+PRIVILEGES", body=b"")
        if made.status != 200:
            raise RuntimeError(f"no user: {made}")


CONSUMERS = [InfluxDB]
