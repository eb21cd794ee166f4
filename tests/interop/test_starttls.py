# SPDX-License-Identifier: Apache-2.0
# The protocols of mail and news, between real clients and real servers, with ginnel as either side of STARTTLS.
import collections
import contextlib
import imaplib
import poplib
import re
import smtplib
import ssl
import uuid
import warnings

import pytest

from interop import inn
from interop.dovecot import Dovecot
from interop.host import HERE, free_port, public_folder
from interop.openssl import s_client
from interop.postfix import DOMAIN, Postfix
from lib.wait import DEADLINE

pytestmark = pytest.mark.root  # Postfix, Dovecot and INN start as root

PASSWORD = "correct-horse"
NAMES = ["imap", "pop3", "lmtp", "sieve"]  # Dovecot's

Mail = collections.namedtuple("Mail", "plain secure smtp_plain smtp_secure postfix")


@pytest.fixture(scope="module")
def mail(pki):
    """Postfix and Dovecot twice: plain behind a ginnel server, with STARTTLS of their own for a ginnel client."""
    with public_folder() as folder:
        auth, smtp_plain, smtp_secure = free_port(), free_port(), free_port()
        postfix = Postfix(folder / "postfix", smtp_plain, ["alice"], tls_port=smtp_secure, tls=pki.server,
                          auth_port=auth)
        plain = Dovecot(folder / "plain", {name: free_port() for name in NAMES}, postfix.mail, PASSWORD)
        secure = Dovecot(folder / "secure", {**{name: free_port() for name in NAMES}, "auth": auth}, postfix.mail,
                         PASSWORD, tls=pki.server)
        yield Mail(plain, secure, smtp_plain, smtp_secure, postfix)
        for server in (secure, plain, postfix):
            server.close()


def port_of(mail, protocol, secure):
    if protocol == "smtp":
        return mail.smtp_secure if secure else mail.smtp_plain
    return (mail.secure if secure else mail.plain).ports[protocol]


def server(scene, protocol, port, *lines):
    """ginnel as the server of STARTTLS; its port."""
    return scene.server_mode(f"127.0.0.1:{port}", f"protocol = {protocol}", *lines, name=protocol).port(protocol)


def client(scene, pki, protocol, port, *lines, daemon_name="client"):
    """ginnel as the client of STARTTLS, which trusts the server's certificate and nothing else; its port."""
    text = scene.section(protocol, f"127.0.0.1:{port}", "client = yes", f"protocol = {protocol}",
                         f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkHost = localhost", *lines)
    daemon = scene.daemon(text, name=daemon_name)
    return daemon.port(protocol)


# --- what is said inside the tunnel, to show that it leads to the real server

# A command, how the server's answer begins, and the farewell.
TALKS = {
    "smtp": ("EHLO me.test", "250-mail.example.test", "QUIT"),
    "lmtp": ("LHLO me.test", "250-mail.example.test", "QUIT"),
    "imap": ("a NOOP", "a OK NOOP completed", "b LOGOUT"),
    "pop3": ("USER alice", "+OK", "QUIT"),
    "sieve": ("NOOP", 'OK "NOOP Completed', "LOGOUT"),
}


def talk(peer, protocol):
    """Read the greeting, say the command, await its answer."""
    greeting = b""
    while not greeting.endswith(b"\r\n") or (protocol == "sieve" and b"\r\nOK " not in greeting):
        some = peer.some()
        assert some, f"the end after {greeting!r}"
        greeting += some
    command, answer, _ = TALKS[protocol]
    peer.send(f"{command}\r\n".encode())
    assert peer.recv(len(answer)).decode() == answer


def openssl_talks(port, protocol, pki):
    command, answer, farewell = TALKS[protocol]
    done = s_client(port, pki, "-starttls", protocol, "-quiet", said=f"{command}\r\n{farewell}\r\n")
    assert done.returncode == 0 and "\n" + answer in "\n" + done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("protocol", ["smtp", *NAMES])
def test_openssl_begins_tls_with_a_server(protocol, mail, scene, pki):
    openssl_talks(server(scene, protocol, port_of(mail, protocol, False)), protocol, pki)


@pytest.mark.parametrize("protocol", ["smtp", *NAMES])
def test_a_client_begins_tls_with_a_real_server(protocol, mail, scene, pki):
    near = scene.connect(client(scene, pki, protocol, port_of(mail, protocol, True)))
    talk(near, protocol)


@pytest.mark.parametrize("protocol", ["smtp", *NAMES])
def test_a_client_begins_tls_with_a_server(protocol, mail, scene, pki):
    port = server(scene, protocol, port_of(mail, protocol, False))
    near = scene.connect(client(scene, pki, protocol, port))
    talk(near, protocol)


@pytest.mark.parametrize("protocol", ["smtp", "imap"])
def test_a_client_that_begins_with_tls_is_let_through(protocol, mail, scene, pki):
    port = server(scene, protocol, port_of(mail, protocol, False))
    talk(scene.tls(port), protocol)


# --- real clients


def context(pki):
    return ssl.create_default_context(cafile=pki.ca.path)


def test_smtplib_delivers(mail, scene, pki):
    token = uuid.uuid4().hex
    with smtplib.SMTP("localhost", server(scene, "smtp", mail.smtp_plain)) as smtp:
        assert smtp.ehlo()[0] == 250 and smtp.has_extn("starttls") and smtp.has_extn("size")
        assert not smtp.has_extn("auth")
        assert smtp.starttls(context=context(pki))[0] == 220
        smtp.sendmail("bob@client.test", [f"alice@{DOMAIN}"], f"Subject: x\r\n\r\n{token}\r\n")
    mail.postfix.await_message("alice", token)


def test_swaks_delivers_by_lmtp(mail, scene, pki):
    token = uuid.uuid4().hex
    done = HERE.run("swaks", "--server", f"127.0.0.1:{server(scene, 'lmtp', mail.plain.ports['lmtp'])}", "--protocol",
                    "LMTP", "--tls", "--tls-verify", "--tls-ca-path", pki.ca.path, "--from", "bob@client.test",
                    "--to", f"alice@{DOMAIN}", "--body", token)
    assert done.returncode == 0, done.stdout + done.stderr
    mail.postfix.await_message("alice", token)


def test_imaplib_logs_in(mail, scene, pki):
    with imaplib.IMAP4("localhost", server(scene, "imap", mail.plain.ports["imap"])) as imap:
        assert "STARTTLS" in imap.capabilities and "LOGINDISABLED" in imap.capabilities
        assert "IDLE" in imap.capabilities and not any(word.startswith("AUTH=") for word in imap.capabilities)
        imap.starttls(context(pki))
        assert "LOGINDISABLED" not in imap.capabilities
        assert imap.login("alice", PASSWORD)[0] == "OK"


def test_poplib_logs_in(mail, scene, pki):
    pop = poplib.POP3("localhost", server(scene, "pop3", mail.plain.ports["pop3"]))
    assert "STLS" in pop.capa()
    pop.stls(context(pki))
    pop.user("alice")
    assert pop.pass_(PASSWORD).startswith(b"+OK")
    pop.quit()


@pytest.mark.parametrize("how", ["plain", "LOGIN"])
def test_the_client_logs_in_for_the_local_one(how, mail, scene, pki):
    token = uuid.uuid4().hex
    port = client(scene, pki, "smtp", mail.smtp_secure, "protocolUsername = alice", f"protocolPassword = {PASSWORD}",
                  f"protocolAuthentication = {how}", "protocolHost = client.test")
    with smtplib.SMTP("localhost", port) as smtp:
        smtp.sendmail("bob@client.test", [f"alice@{DOMAIN}"], f"Subject: x\r\n\r\n{token}\r\n")
    mail.postfix.await_message("alice", token)
    assert PASSWORD not in scene.daemons[0].log()


def test_a_wrong_password_is_named(mail, scene, pki):
    port = client(scene, pki, "smtp", mail.smtp_secure, "protocolUsername = alice", "protocolPassword = wrong-one")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        with smtplib.SMTP("localhost", port) as smtp:
            smtp.sendmail("bob@client.test", [f"alice@{DOMAIN}"], "x")
    scene.daemons[0].wait_end(end="proto_auth")
    assert "wrong-one" not in scene.daemons[0].log()


# --- the recipes


def test_the_recipe_for_a_mail_server(mail, scene, pki, machine):
    text = re.sub(r"(?m)^accept = .*$", "accept = 127.0.0.1:0", machine.recipe("mail-starttls.conf"))
    ports = {"25": mail.smtp_plain, "10143": mail.plain.ports["imap"], "10110": mail.plain.ports["pop3"],
             "14190": mail.plain.ports["sieve"]}
    for old, new in ports.items():
        text = text.replace(f"connect = 127.0.0.1:{old}\n", f"connect = 127.0.0.1:{new}\n")
    daemon = scene.daemon(text)
    for service, protocol in (("submission", "smtp"), ("imap", "imap"), ("pop3", "pop3"), ("sieve", "sieve")):
        openssl_talks(daemon.port(service), protocol, pki)


def test_the_recipe_for_a_smarthost(mail, scene, pki, machine):
    token = uuid.uuid4().hex
    text = machine.recipe(
        "smarthost.conf", ("accept = 127.0.0.1:2525", "accept = 127.0.0.1:0"),
        ("connect = mail.example.com:587", f"connect = localhost:{mail.smtp_secure}"),
        ("checkHost = mail.example.com", "checkHost = localhost"))
    with smtplib.SMTP("localhost", scene.daemon(text).port("smarthost")) as smtp:
        smtp.sendmail("bob@client.test", [f"alice@{DOMAIN}"], f"Subject: x\r\n\r\n{token}\r\n")
    mail.postfix.await_message("alice", token)


# --- news

News = collections.namedtuple("News", "plain secure")


@pytest.fixture(scope="module")
def news(pki):
    """INN twice: plain, and with STARTTLS of its own for a ginnel client."""
    with public_folder() as folder, contextlib.ExitStack() as servers:
        plain, secure = (servers.enter_context(contextlib.closing(inn.Inn(folder / name, free_port(), tls=tls)))
                         for name, tls in (("plain", None), ("secure", pki.server)))
        yield News(plain, secure)


@contextlib.contextmanager
def reader(port):
    """Python's own reader of news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a child of its time
        import nntplib
    with nntplib.NNTP("localhost", port, timeout=DEADLINE) as session:
        yield session


def post_and_read(session):
    """The usual business of a reader; the article is asked for by its name, which nobody could guess."""
    token = uuid.uuid4().hex
    session.post("\r\n".join([
        "From: bob@client.test", f"Newsgroups: {inn.GROUP}", "Subject: x", f"Message-ID: <{token}@client.test>", "",
        ".a dot first", token, ""]).encode())
    lines = session.article(f"<{token}@client.test>")[1].lines
    assert lines[-2:] == [b".a dot first", token.encode()]
    assert session.group(inn.GROUP)[4] == inn.GROUP
    assert inn.GROUP in [group.group for group in session.list()[1]]


def test_inn_is_read_through_a_server(news, scene, pki):
    with reader(server(scene, "nntp", news.plain.port)) as session:
        assert set(session.getcapabilities()) == {"VERSION", "STARTTLS"}  # nothing else before TLS
        session.starttls(context(pki))
        assert {"READER", "POST", "OVER"} <= set(session.getcapabilities())
        post_and_read(session)


def test_openssl_reads_news(news, scene, pki):
    port = server(scene, "nntp", news.plain.port)
    done = s_client(port, pki, "-starttls", "nntp", "-quiet",
                    said=f"MODE READER\r\nLIST ACTIVE {inn.GROUP}\r\nQUIT\r\n")
    assert "200 news.test" in done.stdout and f"\n{inn.GROUP} " in done.stdout, done.stdout + done.stderr


def test_nobody_reads_news_in_clear(news, scene):
    daemon = scene.server_mode(f"127.0.0.1:{news.plain.port}", "protocol = nntp", name="nntp")
    near = scene.connect(daemon.port("nntp"))
    near.send(b"MODE READER\r\nLIST\r\n")
    greeting, *answers = near.rest()[0].splitlines()
    assert greeting.startswith(b"200 news.test ")
    assert [answer[:4] for answer in answers] == [b"483 ", b"483 "]
    daemon.wait_end(end="no_starttls")


@pytest.mark.parametrize("way", ["client", "both"])
def test_inn_is_read_through_a_client(way, news, scene, pki):
    """The reader knows no TLS; the INN of the first way lets nobody read without it."""
    far = news.secure.port if way == "client" else server(scene, "nntp", news.plain.port)
    with reader(client(scene, pki, "nntp", far)) as session:
        post_and_read(session)


def test_inn_wants_tls(news):
    """Or the test before this one would show nothing."""
    with reader(news.secure.port) as session:
        with pytest.raises(Exception, match="^(480|483|502) "):
            session.group(inn.GROUP)
