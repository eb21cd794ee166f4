# SPDX-License-Identifier: Apache-2.0
# Databases and directories, between real clients and real servers, with ginnel as either side of their TLS.
import collections
import re

import pytest

from interop.host import HERE, free_port, public_folder
from interop.mariadb import PLUGINS, MariaDb
from interop.openssl import s_client
from interop.postgres import USER, Postgres
from interop.recipes import let_nobody_log
from interop.slapd import BASE, ROOT, Slapd
from lib.peer import TlsPeer

pytestmark = pytest.mark.root  # the servers' files belong to their users

PASSWORD = "correct-horse"
TOKEN = "a-fact-of-the-directory"

Pair = collections.namedtuple("Pair", "plain secure")  # behind a ginnel server; in front of a ginnel client


def pair(make, pki, *more):
    with public_folder() as folder:
        servers = Pair(make(folder / "plain", free_port(), PASSWORD, *more),
                       make(folder / "secure", free_port(), PASSWORD, *more, tls=pki.server))
        yield servers
        for each in servers:
            each.close()


@pytest.fixture(scope="module")
def postgres(pki):
    yield from pair(Postgres, pki)


@pytest.fixture(scope="module")
def mariadb(pki):
    yield from pair(MariaDb, pki)


@pytest.fixture(scope="module")
def slapd(pki):
    yield from pair(Slapd, pki, TOKEN)


def server(scene, protocol, target, *lines):
    """ginnel as the TLS server; the daemon and its port."""
    address = target if isinstance(target, str) else f"127.0.0.1:{target.port}"
    daemon = scene.server_mode(address, f"protocol = {protocol}", *lines, name=protocol)
    return daemon, daemon.port(protocol)


def client(scene, pki, protocol, port, *lines):
    """ginnel as the TLS client, which trusts the server's certificate and nothing else; the daemon and its port."""
    text = scene.section(protocol, f"127.0.0.1:{port}", "client = yes", f"protocol = {protocol}",
                         f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkHost = localhost", *lines)
    daemon = scene.daemon(text, name="client")
    return daemon, daemon.port(protocol)


def ways(scene, pki, protocol, servers, way):
    """The port of a plain way to a server: by a ginnel client to the real one, or through both sides of ginnel."""
    target = servers.secure.port if way == "client" else server(scene, protocol, servers.plain)[1]
    return client(scene, pki, protocol, target)[1]


WAYS = pytest.mark.parametrize("way", ["client", "both"])


def recipe(scene, machine, name, *changes):
    """A recipe at work on free ports."""
    text = re.sub(r"(?m)^accept = .*$", "accept = 127.0.0.1:0", machine.recipe(name, *changes))
    return scene.daemon(text)


def openssl_begins_tls(protocol, port, pki):
    done = s_client(port, pki, "-starttls", protocol, "-brief")
    assert "Verification: OK" in done.stderr, done.stdout + done.stderr


# --- PostgreSQL

ASK = "select 'is ' || string_agg(n::text, '') || version() from generate_series(1, 5) n"
ANSWER = "is 12345PostgreSQL"


def psql(port, query=ASK, *, name="localhost", **words):
    """`name` is what the certificate is asked for; the address is always loopback."""
    words = {"host": name, "hostaddr": "127.0.0.1", "port": port, "user": USER, "dbname": "postgres", **words}
    text = " ".join(f"{key}={value}" for key, value in words.items())
    return HERE.run("psql", "-XAtq", "-c", query, text, env={"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"})


def good(done, answer=ANSWER):
    assert done.returncode == 0 and answer in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
@pytest.mark.parametrize("gss", ["disable", "prefer"])
def test_psql_begins_tls_with_a_server(mode, gss, postgres, scene, pki):
    """Without a ticket psql does not ask for GSSAPI; test_a_client_may_ask_for_gssapi_first() does."""
    _, port = server(scene, "pgsql", postgres.plain)
    good(psql(port, sslmode=mode, sslrootcert=pki.ca.path, gssencmode=gss))


def test_psql_checks_the_name(postgres, scene, pki):
    daemon, port = server(scene, "pgsql", postgres.plain)
    done = psql(port, sslmode="verify-full", sslrootcert=pki.ca.path, name="elsewhere.test")
    assert done.returncode != 0 and "elsewhere.test" in done.stderr


def test_psql_in_clear_is_told_why_not(postgres, scene):
    daemon, port = server(scene, "pgsql", postgres.plain)
    done = psql(port, sslmode="disable")
    assert done.returncode != 0 and "TLS is required here" in done.stderr
    daemon.wait_end(end="no_starttls")


def test_psql_hears_of_a_missing_server(scene, pki):
    daemon, port = server(scene, "pgsql", f"127.0.0.1:{free_port()}")
    done = psql(port, sslmode="require")
    assert done.returncode != 0 and "The database behind this address cannot be reached" in done.stderr
    daemon.wait_end(end="connect")


@WAYS
@pytest.mark.parametrize("mode", ["disable", "prefer"])
def test_psql_through_a_client(mode, way, postgres, scene, pki):
    """
    The real server takes TLS and nothing else, and offers a login that is bound to its certificate; psql asks for
    TLS of its own, by default, and gets a no.
    """
    good(psql(ways(scene, pki, "pgsql", postgres, way), sslmode=mode))


def test_a_client_does_not_go_on_without_tls(postgres, scene, pki):
    daemon, port = client(scene, pki, "pgsql", postgres.plain.port)
    assert psql(port).returncode != 0
    daemon.wait_log("PostgreSQL server rejected TLS")
    daemon.wait_end(end="no_starttls_far")


def test_openssl_begins_tls_with_postgresql(postgres, scene, pki):
    openssl_begins_tls("postgres", server(scene, "pgsql", postgres.plain)[1], pki)


STARTUP = b"\0\3\0\0user\0" + USER.encode() + b"\0\0"
STARTUP = (len(STARTUP) + 4).to_bytes(4, "big") + STARTUP
GSS_REQUEST, SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x30", b"\0\0\0\x08\x04\xd2\x16\x2f"


def test_a_client_may_ask_for_gssapi_first(postgres, scene, pki):
    near = scene.connect(server(scene, "pgsql", postgres.plain)[1])
    assert near.send(GSS_REQUEST).recv(1) == b"N"
    assert near.send(SSL_REQUEST).recv(1) == b"S"
    near = TlsPeer(near.sock, pki.client_context(), name="localhost")
    assert near.send(STARTUP).recv(1) == b"R", "the server asks for a password"


def test_a_client_may_begin_with_tls_and_the_protocols_name(postgres, scene, pki):
    """What psql of PostgreSQL 17 does by sslnegotiation=direct."""
    context = pki.client_context()
    context.set_alpn_protocols(["other", "postgresql"])
    near = scene.tls(server(scene, "pgsql", postgres.plain)[1], context)
    assert near.tls.selected_alpn_protocol() == "postgresql"
    assert near.send(STARTUP).recv(1) == b"R"


# --- MariaDB


def mariadb_client(port, user, *words, query="select concat('is ', 12345), version()"):
    return HERE.run("mariadb", "--no-defaults", "-N", "-h", "127.0.0.1", "-P", port, "-u", user,
                    f"--password={PASSWORD}", *words, "-e", query)


@pytest.mark.parametrize("user", PLUGINS)
def test_mariadb_begins_tls_with_a_server(user, mariadb, scene, pki):
    _, port = server(scene, "mysql", mariadb.plain)
    good(mariadb_client(port, user, "--ssl-ca", pki.ca.path, "--ssl-verify-server-cert"), "is 12345")


@pytest.mark.parametrize("words", [["--compress"], ["--default-auth=client_ed25519"]], ids=" ".join)
@pytest.mark.parametrize("user", PLUGINS)
def test_mariadb_with_other_beginnings(user, words, mariadb, scene, pki):
    _, port = server(scene, "mysql", mariadb.plain)
    good(mariadb_client(port, user, "--ssl", *words), "is 12345")


@pytest.mark.parametrize("user", PLUGINS)
def test_mariadb_by_a_unix_socket(user, mariadb, scene, pki):
    _, port = server(scene, "mysql", mariadb.plain.socket)
    good(mariadb_client(port, user, "--ssl"), "is 12345")


def test_a_wrong_password_is_refused_by_the_server(mariadb, scene):
    _, port = server(scene, "mysql", mariadb.plain)
    done = mariadb_client(port, "modern", "--ssl", "--password=wrong")
    assert done.returncode != 0 and "ERROR 1045 (28000): Access denied" in done.stderr


def test_mariadb_in_clear_is_told_why_not(mariadb, scene):
    daemon, port = server(scene, "mysql", mariadb.plain)
    done = mariadb_client(port, "native", "--skip-ssl")
    assert done.returncode != 0 and "ERROR 3159 (HY000): TLS is required here" in done.stderr
    daemon.wait_end(end="no_starttls")


def test_mariadb_hears_of_a_missing_server(scene):
    daemon, port = server(scene, "mysql", f"127.0.0.1:{free_port()}")
    done = mariadb_client(port, "native", "--ssl")
    assert done.returncode != 0 and "The database behind this address cannot be reached" in done.stderr
    daemon.wait_end(end="connect")


def test_much_data_goes_through(mariadb, scene):
    """More than one packet of the protocol: 16 MiB."""
    _, port = server(scene, "mysql", mariadb.plain)
    done = mariadb_client(port, "native", "--ssl", "--max-allowed-packet=64M",
                          query="select length(repeat('x', 15000000)); select repeat('x', 15000000)")
    good(done, "15000000\n" + 15000000 * "x")


@WAYS
@pytest.mark.parametrize("user", PLUGINS)
def test_mariadb_through_a_client(user, way, mariadb, scene, pki):
    """The real server lets these users in by TLS and not otherwise."""
    good(mariadb_client(ways(scene, pki, "mysql", mariadb, way), user, "--skip-ssl"), "is 12345")


@WAYS
def test_a_wrong_password_through_a_client(way, mariadb, scene, pki):
    done = mariadb_client(ways(scene, pki, "mysql", mariadb, way), "modern", "--skip-ssl", "--password=wrong")
    assert done.returncode != 0 and "ERROR 1045 (28000): Access denied" in done.stderr


def test_a_client_does_not_log_in_without_tls(mariadb, scene, pki):
    daemon, port = client(scene, pki, "mysql", mariadb.plain.port)
    done = mariadb_client(port, "native", "--skip-ssl")
    assert done.returncode != 0 and "The server does not offer TLS" in done.stderr
    daemon.wait_end(end="no_starttls_far")


def test_openssl_begins_tls_with_mariadb(mariadb, scene, pki):
    openssl_begins_tls("mysql", server(scene, "mysql", mariadb.plain)[1], pki)


# --- LDAP


def ldapsearch(port, *words, ca="/dev/null"):
    env = {"PATH": "/usr/bin:/bin", "LDAPTLS_REQCERT": "demand", "LDAPTLS_CACERT": str(ca)}
    return HERE.run("ldapsearch", "-LLL", "-x", "-H", f"ldap://127.0.0.1:{port}", "-D", ROOT, "-w", PASSWORD,
                    "-b", BASE, *words, "uid=alice", "description", env=env)


def test_ldapsearch_begins_tls_with_a_server(slapd, scene, pki):
    daemon, port = server(scene, "ldap", slapd.plain)
    good(ldapsearch(port, "-ZZ", ca=pki.ca.path), TOKEN)
    daemon.wait_end(end="done")


def test_ldapsearch_checks_the_certificate(slapd, scene, pki):
    done = ldapsearch(server(scene, "ldap", slapd.plain)[1], "-ZZ", ca=pki.foreign.path)
    assert done.returncode != 0 and TOKEN not in done.stdout


def test_ldapsearch_in_clear_is_told_why_not(slapd, scene):
    daemon, port = server(scene, "ldap", slapd.plain)
    done = ldapsearch(port)
    assert "Confidentiality required (13)" in done.stderr and "StartTLS first" in done.stderr
    daemon.wait_end(end="proto_quit")
    assert PASSWORD not in daemon.log()


@WAYS
def test_ldapsearch_through_a_client(way, slapd, scene, pki):
    good(ldapsearch(ways(scene, pki, "ldap", slapd, way)), TOKEN)


def test_a_client_does_not_bind_without_tls(slapd, scene, pki):
    daemon, port = client(scene, pki, "ldap", slapd.plain.port)
    assert TOKEN not in ldapsearch(port).stdout
    daemon.wait_log("LDAP response has indicated failure")
    daemon.wait_end(end="no_starttls_far")


def test_openssl_begins_tls_with_slapd(slapd, scene, pki):
    openssl_begins_tls("ldap", server(scene, "ldap", slapd.plain)[1], pki)


# --- the recipes


def test_the_recipe_for_postgresql(postgres, scene, pki, machine):
    daemon = recipe(scene, machine, "postgres.conf", ("127.0.0.1:15432", f"127.0.0.1:{postgres.plain.port}"))
    good(psql(daemon.port("postgres"), sslmode="verify-full", sslrootcert=pki.ca.path))


def test_the_recipe_for_mysql(mariadb, scene, pki, machine):
    let_nobody_log(scene)
    daemon = recipe(scene, machine, "mysql.conf", ("/run/mysqld/mysqld.sock", mariadb.plain.socket))
    good(mariadb_client(daemon.port("mysql"), "modern", "--ssl-ca", pki.ca.path, "--ssl-verify-server-cert"),
         "is 12345")


def test_the_recipe_for_starttls_of_a_directory(slapd, scene, pki, machine):
    daemon = recipe(scene, machine, "ldap-starttls.conf", ("127.0.0.1:10389", f"127.0.0.1:{slapd.plain.port}"))
    good(ldapsearch(daemon.port("ldap"), "-ZZ", ca=pki.ca.path), TOKEN)


def test_the_recipe_for_clients(postgres, mariadb, slapd, scene, machine):
    servers = {"postgres": (postgres, 5432), "mysql": (mariadb, 3306), "ldap": (slapd, 389)}
    changes = [(f"connect = {name}.example.com:{port}", f"connect = 127.0.0.1:{both.secure.port}")
               for name, (both, port) in servers.items()]
    names = [(f"checkHost = {name}.example.com", "checkHost = localhost") for name in servers]
    daemon = recipe(scene, machine, "databases-client.conf", *changes, *names)
    good(psql(daemon.port("postgres")))
    good(mariadb_client(daemon.port("mysql"), "native", "--skip-ssl"), "is 12345")
    good(ldapsearch(daemon.port("ldap")), TOKEN)
