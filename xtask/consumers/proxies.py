"""Web servers and proxies in front of a program that answers anything."""

import contextlib
import pathlib

import debian
import gateways
from gateways import Recorder
from issuer import answering
from kinds import Web
from page import theirs
from scenario import OUT
from servers import Server, free_port


class App(Recorder):
    """What is behind the proxy, which ends its connections as it likes."""

    def handle_error(self, request, client_address):
        pass


class Proxy(Web):
    """One of a Debian system of its own; `package` has its version."""

    needs = ("system",)
    package: str

    def version(self):
        return debian.version(self.package)

    def start(self, issuer, folder, stack):
        self.stack = stack
        self.place = debian.Folder(stack, self.name)
        self.app = stack.enter_context(gateways.running(App())).server_port
        self.again(issuer)

    def again(self, issuer):
        """Starts it anew, as a reload does."""
        with contextlib.ExitStack() as running:
            self.port = free_port()
            command = self.configured(issuer)
            process = debian.run(running, self.name, command, self.place)
            self.server = Server(self.name, self.port, process, self.place.outside / "log")
            answering(self.server)
            self.stack.push(running.pop_all())

    def configured(self, issuer):
        """Writes its files; its command."""
        raise NotImplementedError


class Nginx(Proxy):
    name = "nginx"
    heading = "nginx and Caddy"
    package = "nginx"
    way = "guard"
    after_logout = OUT

    def configured(self, issuer):
        file, text, command = getattr(gateways, self.package)(self.port, issuer.port, self.app)
        self.place.write(file, text)
        return [pathlib.Path(command[0]).name, *command[1:]]


class Caddy(Nginx):
    name = "Caddy"
    package = "caddy"


class HAProxy(Proxy):
    name = "HAProxy"
    package = "haproxy"
    way = "keys in files"
    before = None

    def configured(self, issuer):
        kids = list(issuer.kids())
        former = self.place.write("current.pem", issuer.public("pem", f"--kid={kids[0]}"))
        latest = self.place.write("next.pem", issuer.public("pem", f"--kid={kids[-1]}"))
        pairs = {
            "127.0.0.1:8080": f"127.0.0.1:{self.port}",
            "127.0.0.1:9000": f"127.0.0.1:{self.app}",
            "/etc/haproxy/current.pem": former,
            "/etc/haproxy/next.pem": latest,
        }
        return ["haproxy", "-db", "-f", self.place.write("haproxy.cfg", theirs(self.name, "haproxy", issuer, pairs))]

    def rotated(self, issuer, folder):
        self.again(issuer)


APACHE = """\
ServerRoot /etc/apache2
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/log
DefaultRuntimeDir {folder}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so
User www-data
Group www-data
ProxyPass / http://127.0.0.1:{app}/
{page}
"""


class Apache(Proxy):
    module = "auth_openidc"
    package = "libapache2-mod-auth-openidc"
    way = "JWKS"

    def configured(self, issuer):
        secret = (issuer.folder / "client-secret").read_text()
        page = theirs(self.name, "apache", issuer).replace("CLIENT_SECRET", secret)
        values = {"port": self.port, "app": self.app, "folder": self.place.inside, "module": self.module}
        file = self.place.write("apache.conf", APACHE.format(page=page, **values))
        return ["apache2", "-X", "-f", file]


class OpenidcKeys(Apache):
    name = "Apache with mod_auth_openidc"


class OpenidcIntrospection(Apache):
    name = "Apache with mod_auth_openidc, by introspection"
    way = "introspection"
    after_logout = OUT


class OAuth2Keys(Apache):
    name = "Apache with mod_oauth2"
    module = "oauth2"
    package = "libapache2-mod-oauth2"


class OAuth2Introspection(OAuth2Keys):
    name = "Apache with mod_oauth2, by introspection"
    way = "introspection"
    after_logout = OUT


CONSUMERS = [Nginx, Caddy, HAProxy, OpenidcKeys, OpenidcIntrospection, OAuth2Keys, OAuth2Introspection]
