"""Dovecot, asked by IMAP with OAUTHBEARER."""

import imaplib

import debian
import page
from issuer import USER, wait
from page import theirs
from scenario import IN, OUT, Consumer
from servers import free_port

FRAME = """\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
auth_allow_cleartext = yes
auth_debug = yes
ssl = no
protocols = imap
mail_driver = maildir
mail_path = {folder}/mail
listen = 127.0.0.1
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
# Failures in a row are answered late otherwise.
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
userdb static {{
  fields {{
    uid = mail
    gid = mail
    home = {folder}/mail
  }}
}}
{page}
"""


class Dovecot(Consumer):
    name = "Dovecot"
    needs = ("system",)
    way = "keys in files"

    def version(self):
        return debian.version("dovecot-imapd")

    def pairs(self, issuer):
        return {"/etc/dovecot/oauth2-keys/": f"{self.place.inside}/keys/"}

    def start(self, issuer, folder, stack):
        self.port = free_port()
        self.place = debian.Folder(stack, self.name)
        (self.place.outside / "mail").mkdir()
        (self.place.outside / "mail").chmod(0o777)
        self.rotated(issuer, folder)
        text = theirs(self.name, "dovecot", issuer, self.pairs(issuer))
        file = self.place.write("dovecot.conf", FRAME.format(page=text, folder=self.place.inside, port=self.port))
        self.process = debian.run(stack, self.name, ["dovecot", "-F", "-c", file], self.place)
        wait(self.answers, f"Dovecot listens\n{self.log()}")

    def rotated(self, issuer, folder):
        keys = self.place.outside / f"keys/default/{page.USED}"
        keys.mkdir(parents=True, exist_ok=True)
        for kid in issuer.kids():
            (keys / kid).write_text(issuer.public("pem", f"--kid={kid}"))

    def log(self):
        file = self.place.outside / "log"
        return "\n".join(file.read_text().splitlines()[-12:]) if file.exists() else ""

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"Dovecot ended:\n{self.log()}")
        try:
            imaplib.IMAP4("127.0.0.1", self.port, timeout=10).logout()
        except OSError:
            return False
        return True

    def says(self, token):
        connection = imaplib.IMAP4("127.0.0.1", self.port, timeout=30)
        answers = iter([f"n,a={USER},\x01auth=Bearer {token}\x01\x01".encode(), b"\x01"])
        try:
            connection.authenticate("OAUTHBEARER", lambda _: next(answers))
        except imaplib.IMAP4.error as error:
            return OUT, f"{error}\n{self.log()}"
        finally:
            connection.shutdown()
        return IN, ""


class Introspection(Dovecot):
    name = "Dovecot, by introspection"
    way = "introspection"
    after_logout = OUT

    def pairs(self, issuer):
        secret = (issuer.folder / "client-secret").read_text()
        return {"https://dovecot:CLIENT_SECRET@login.example.com/": f"http://dovecot:{secret}@127.0.0.1:{issuer.port}/"}

    def rotated(self, issuer, folder):
        pass


CONSUMERS = [Dovecot, Introspection]
