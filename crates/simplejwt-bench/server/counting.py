"""A wire to PostgreSQL that counts what is asked through it."""

import dataclasses
import socket
import struct
import threading
from urllib.parse import urlsplit

# The startup packet of a client that asks for TLS, which isn't to be had here.
SSL_REQUEST = 80877103


@dataclasses.dataclass(frozen=True)
class Snapshot:
    texts: tuple
    # How often a client had to wait for answers.
    trips: int


class Counting:
    """Passes everything on; its `url` is the database's, by way of this."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.server = (parts.hostname, parts.port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.url = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()
        self.lock = threading.Lock()
        self.trips = 0
        self.texts = []

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def snapshot(self):
        with self.lock:
            return Snapshot(tuple(self.texts), self.trips)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.server)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.questions, args=(client, server), daemon=True).start()
            threading.Thread(target=answers, args=(server, client), daemon=True).start()

    def questions(self, client, server):
        try:
            length = struct.unpack("!i", exactly(client, 4))[0]
            startup = exactly(client, length - 4)
            if struct.unpack("!i", startup[:4])[0] == SSL_REQUEST:
                client.sendall(b"N")
                length = struct.unpack("!i", exactly(client, 4))[0]
                startup = exactly(client, length - 4)
            server.sendall(struct.pack("!i", length) + startup)
            prepared, portals = {}, {}
            while True:
                kind = exactly(client, 1)
                size = exactly(client, 4)
                body = exactly(client, struct.unpack("!i", size)[0] - 4)
                self.count(kind, body, prepared, portals)
                server.sendall(kind + size + body)
        except (OSError, EOFError):
            client.close()
            server.close()

    def count(self, kind, body, prepared, portals):
        with self.lock:
            if kind == b"P":
                name, text = body.split(b"\0")[:2]
                prepared[name] = text
            elif kind == b"B":
                portal, name = body.split(b"\0")[:2]
                portals[portal] = prepared.get(name, b"?")
            elif kind in (b"E", b"Q"):
                text = body.split(b"\0")[0]
                self.texts.append((portals.get(text, b"?") if kind == b"E" else text).decode())
            # Here the client waits.
            if kind in (b"S", b"Q"):
                self.trips += 1


def answers(server, client):
    try:
        while data := server.recv(65536):
            client.sendall(data)
    except OSError:
        pass
    client.close()


def is_of_feed(text):
    """Whether it is the look for revocations that a node takes by itself."""
    return "FROM simplejwt_sequence" in text


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
