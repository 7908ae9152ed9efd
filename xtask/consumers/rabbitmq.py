"""RabbitMQ, asked by AMQP with the token for a password."""

import contextlib
import socket

import debian
import pika
from issuer import wait
from page import theirs
from scenario import IN, OUT, Consumer
from servers import free_port

FRAME = """\
listeners.tcp.default = 127.0.0.1:{port}
log.file = false
log.console = true
log.console.level = debug
auth_oauth2.https.cacertfile = {authority}
{page}
"""


class RabbitMQ(Consumer):
    name = "RabbitMQ"
    needs = ("system",)
    way = "JWKS"

    def version(self):
        return debian.version("rabbitmq-server")

    def start(self, issuer, folder, stack):
        self.port = free_port()
        self.place = debian.Folder(stack, self.name)
        # It takes https alone.
        url, file = issuer.start_tls(stack)
        authority = self.place.write("authority.pem", file.read_text())
        page = theirs(self.name, "rabbitmq", issuer, {f"{issuer.url}/": url})
        self.place.write("rabbitmq.conf", FRAME.format(port=self.port, page=page, authority=authority))
        self.place.write("plugins", "[rabbitmq_auth_backend_oauth2].")
        inside = self.place.inside
        environment = {
            "HOME": inside,
            "ERL_EPMD_PORT": free_port(),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONFIG_FILE": inside / "rabbitmq.conf",
            "RABBITMQ_DIST_PORT": free_port(),
            "RABBITMQ_ENABLED_PLUGINS_FILE": inside / "plugins",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": inside / "mnesia",
            "RABBITMQ_NODENAME": "consumer@localhost",
            "RABBITMQ_PID_FILE": inside / "pid",
        }
        command = ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
        self.process = debian.run(stack, self.name, command, self.place, **environment)
        wait(self.answers, "RabbitMQ listens", 120)

    def log(self):
        return "\n".join((self.place.outside / "log").read_text().splitlines()[-12:])

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"RabbitMQ ended:\n{self.log()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return "Server startup complete" in (self.place.outside / "log").read_text()
        return False

    def says(self, token):
        credentials = pika.PlainCredentials("anybody", token)
        try:
            connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.port, credentials=credentials))
        except pika.exceptions.AMQPError as error:
            return OUT, f"{type(error).__name__} {error}\n{self.log()}"
        connection.channel().queue_declare("queue")
        connection.close()
        return IN, ""


CONSUMERS = [RabbitMQ]
