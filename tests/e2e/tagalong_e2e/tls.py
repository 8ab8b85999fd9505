# tls.py - certificates, uninstrumented peers that speak TLS, and real programs that serve over it.
import select
import socket
import ssl

from . import machine, programs
from .programs import APP_KINDS, PAR_KINDS, PROXY_KINDS, Front, gunicorn, python
from .raw import CannedServer


class Certificates:
    """An authority, a certificate for localhost, and one for a client; each file has the key as well."""

    def __init__(self, machine):
        self.machine = machine
        self.authority = machine.directory / "authority.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=test authority", "-keyout", "authority.key", "-out", self.authority)
        self.server = self._signed("server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.client = self._signed("client", "a client", "extendedKeyUsage=clientAuth")

    def _openssl(self, *words):
        done = self.machine.run(["openssl", *words])
        assert done.returncode == 0, done.stderr

    def _signed(self, name, subject, extension):
        directory = self.machine.directory
        (directory / f"{name}.ext").write_text(extension + "\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", self.authority, "-CAkey", "authority.key",
                      "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        both = directory / f"{name}.pem"
        both.write_text((directory / f"{name}.crt").read_text() + (directory / f"{name}.key").read_text())
        both.chmod(0o644)
        return both

    def client_context(self, version=None, certificate=False):
        context = ssl.create_default_context(cafile=self.authority)
        if version:
            context.minimum_version = context.maximum_version = version
        if certificate:
            context.load_cert_chain(self.client)
        return context

    def server_context(self, version=None):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server)
        if version:
            context.minimum_version = context.maximum_version = version
        return context


class EncryptedServer(CannedServer):
    """As CannedServer, over TLS: keeps what it deciphered."""

    def __init__(self, answer, context, port=0):
        self.context = context
        self.failures = []
        super().__init__(answer, port)

    def _serve(self, sock, *more):
        try:
            sock.settimeout(20)
            encrypted = self.context.wrap_socket(sock, server_side=True)
        except (OSError, ValueError) as error:
            self.failures.append(error)
            sock.close()
            return
        super()._serve(encrypted, *more)


def exchange(port, context, data, piece=1 << 16, patience=20, slow=False):
    """Sends data over TLS in pieces and returns all that is answered until the end, or silence."""
    plain = socket.socket()
    if slow:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(20)
    plain.connect(("127.0.0.1", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context.wrap_socket(plain, server_hostname="localhost") as sock:
        return _talk(sock, data, piece, patience, 1500 if slow else 1 << 16)


def _talk(sock, data, piece, patience, most):
    # In one thread: OpenSSL's sessions are not for two at once.
    received, sent = b"", 0
    sock.setblocking(False)
    while True:
        try:
            if sent < len(data):
                sent += sock.send(data[sent:sent + piece])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            sent = len(data)  # a server may close before it has read all
        try:
            chunk = sock.recv(most)
            received += chunk
            if not chunk:
                return received
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            ready = select.select([sock], [sock] if sent < len(data) else [], [], patience)
            if not ready[0] and not ready[1]:
                return received
        except OSError:
            return received


# ---- programs as front services: encrypted to their clients and to their backend


def nginx(server="", http=""):
    def start(machine_, port, backend):
        directory = machine_.directory
        config = programs.nginx_config(
            machine_, port,
            f"ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {directory}/server.crt; ssl_certificate_key {directory}/server.key;"
            " location / { proxy_pass https://back; proxy_http_version 1.1; proxy_set_header Connection \"\";"
            f" proxy_ssl_trusted_certificate {directory}/authority.pem; proxy_ssl_verify on;"
            " proxy_ssl_name localhost; proxy_ssl_server_name on; }" + server,
            f"upstream back {{ server 127.0.0.1:{backend}; keepalive 32; }}" + http)
        config.write_text(config.read_text().replace("backlog=1024;", "backlog=1024 ssl;"))
        (directory / "server.key").chmod(0o644)
        return programs.nginx_argv(config), {}
    return start


def apache(machine_, port, backend):
    directory = machine_.directory
    body = "\n".join([
        "LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so",
        "LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so",
        "SSLEngine on", f"SSLCertificateFile {directory}/server.pem", "SSLProxyEngine on",
        f"SSLProxyCACertificateFile {directory}/authority.pem", f"SSLSessionCache shmcb:{directory}/cache(512000)",
        f"ProxyPass / https://localhost:{backend}/", f"ProxyPassReverse / https://localhost:{backend}/"])
    return ["/usr/sbin/apache2", "-DFOREGROUND", "-f", programs.apache_config(machine_, port, "event", body, 0)], {}


def haproxy(machine_, port, backend):
    argv, env = programs.haproxy(machine_, port, backend)
    config, directory = argv[-1], machine_.directory
    text = config.read_text().replace(f"bind 127.0.0.1:{port}", f"bind 127.0.0.1:{port} ssl crt {directory}/server.pem")
    config.write_text(text.replace(
        f"127.0.0.1:{backend}", f"127.0.0.1:{backend} ssl verify required ca-file {directory}/authority.pem"
        " sni str(localhost)"))
    return argv, env


def with_environment(start):
    """The program's server takes its certificate from the environment, its client the authority."""
    def begin(machine_, port, backend):
        argv, env = start(machine_, port, backend)
        authority = machine_.directory / "authority.pem"
        return argv, {**env, "CERTIFICATE": machine_.directory / "server.pem",
                      "SSL_CERT_FILE": authority, "NODE_EXTRA_CA_CERTS": authority}
    return begin


def node_https(client):
    def start(machine_, port, backend):
        return ["node", machine.PROGRAMS / "front_https.js"], {"CLIENT": client}
    return with_environment(start)


def gunicorn_encrypted(machine_, port, backend):
    directory = machine_.directory
    return gunicorn("--worker-class", "gthread", "--workers", "2", "--threads", "16", "--certfile",
                    directory / "server.crt", "--keyfile", directory / "server.key")(machine_, port, backend)


FRONTS = [
    Front("nginx", nginx(), PROXY_KINDS, proxy=True),
    Front("apache", apache, PROXY_KINDS, proxy=True),
    Front("haproxy", haproxy, PROXY_KINDS, proxy=True),
    Front("gunicorn", with_environment(gunicorn_encrypted), APP_KINDS),
    Front("aiohttp", with_environment(python("front_aiohttp.py")), PAR_KINDS, exact=False),
    Front("node-https", node_https("https"), PAR_KINDS, exact=False),
    Front("node-fetch", node_https("fetch"), PAR_KINDS, exact=False),
]
