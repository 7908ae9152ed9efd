"""Synapse, asked to log in over HTTP."""

import importlib.metadata
import sys
import textwrap

from issuer import answering
from kinds import Web, start
from page import theirs
from scenario import IN, OUT
from servers import Server, free_port

FRAME = """\
server_name: example.org
listeners:
  - port: {port}
    type: http
    bind_addresses: [127.0.0.1]
    resources: [{{names: [client]}}]
database: {{name: sqlite3, args: {{database: {folder}/synapse.db}}}}
media_store_path: {folder}/media
signing_key_path: {folder}/signing.key
macaroon_secret_key: unused
registration_shared_secret: unused
form_secret: unused
report_stats: false
trusted_key_servers: []
rc_login:
  address: {{per_second: 1000, burst_count: 1000}}
  account: {{per_second: 1000, burst_count: 1000}}
  failed_attempts: {{per_second: 1000, burst_count: 1000}}
{page}
"""


class Synapse(Web):
    name = "Synapse"
    way = "one key"
    expected = {"older": OUT}

    def version(self):
        return importlib.metadata.version("matrix-synapse")

    def start(self, issuer, folder, stack):
        self.stack = stack
        self.begin(issuer, folder, issuer.kids()[0])

    def rotated(self, issuer, folder):
        self.begin(issuer, folder, issuer.kids()[-1])

    def begin(self, issuer, folder, kid):
        place = folder / kid.strip("-_")
        place.mkdir()
        key = textwrap.indent(issuer.public("pem", f"--kid={kid}"), " " * 4).strip()
        port = free_port()
        page = theirs(self.name, "synapse", issuer, {"PUBLIC_KEY": key})
        (place / "homeserver.yaml").write_text(FRAME.format(page=page, port=port, folder=place))
        command = [sys.executable, "-m", "synapse.app.homeserver", "-c", "homeserver.yaml"]
        # It makes its own key at first.
        start(self.stack, self.name, [*command, "--generate-keys"], place).wait(60)
        process = start(self.stack, self.name, command, place)
        self.server = Server(self.name, port, process, place / "log")
        answering(self.server, seconds=60)

    def says(self, token):
        answer = self.server.post("/_matrix/client/v3/login", {"type": "org.matrix.login.jwt", "token": token})
        return {200: IN, 403: OUT}.get(answer.status, "neither"), f"{answer.status} {answer.body[:300]}"


CONSUMERS = [Synapse]
