# SPDX-License-Identifier: Apache-2.0
# The configuration file: its grammar, and one clear complaint for each thing that may be wrong in it.
import pytest

from lib.daemon import NotStarted
from lib.peer import echo

CONFIG = 78


def check(scene, text, name="test.conf"):
    """(exit status, complaints as (line, option, text)) of a configuration."""
    path = scene.file(name, text)
    done = scene.run("check", path)
    complaints = []
    for line in done.stderr.splitlines():
        if f"{path}:" in line:
            parts = line.split(f"{path}:", 1)[1].split(": ", 2)
            if parts[0].isdigit():
                complaints.append((int(parts[0]), parts[1], parts[2] if len(parts) > 2 else parts[1]))
    return done.returncode, complaints, done.stderr


def service(pki, *lines, connect="127.0.0.1:9"):
    return "\n".join(
        ["[tls]", "accept = 127.0.0.1:0", f"connect = {connect}", f"cert = {pki.server.bundle}", *lines, ""]
    )


# --- one fault, one complaint at its line (the fifth)

BAD_LINES = [
    ("TIMEOUTidle = 12x", "TIMEOUTidle"),
    ("TIMEOUTidle =", "TIMEOUTidle"),
    ("TIMEOUTidle = 99999999999999", "TIMEOUTidle"),
    ("TIMEOUTidle = -5", "TIMEOUTidle"),
    ("TIMEOUTbusy = 1.5", "TIMEOUTbusy"),
    ("client = perhaps", "client"),
    ("client = yes ; note", "client"),
    ("failover = random", "failover"),
    ("debug = loud", "debug"),
    ("debug = daemon.", "debug"),
    ("debug = daemon.notice", "debug"),
    ("sslVersion = SSLv2", "sslVersion"),
    ("sslVersionMin = 1.2", "sslVersionMin"),
    ("options = NO_SUCH_THING", "options"),
    ("ciphers = NOSUCHCIPHER", "ciphers"),
    ("ciphersuites = TLS_NOSUCH", "ciphersuites"),
    ("curves = NOSUCHCURVE", "curves"),
    ("securityLevel = 9", "securityLevel"),
    ("verify = 5", "verify"),
    ("verify = -1", "verify"),
    ("verifyChain = sometimes", "verifyChain"),
    ("checkIP = 300.1.1.1\nverifyChain = yes", "checkIP"),
    ("sessionCacheSize = lots", "sessionCacheSize"),
    ("socket = x:TCP_NODELAY=1", "socket"),
    ("socket = l:NO_SUCH=1", "socket"),
    ("socket = l:TCP_NODELAY=7up", "socket"),
    ("socket = nonsense", "socket"),
    ("logId = random", "logId"),
    ("accept = 127.0.0.1:70000", "accept"),
    ("accept = 127.0.0.1:0x50", "accept"),
    ("accept = 127.0.0.1:-1", "accept"),
    ("connect = 127.0.0.1:99999", "connect"),
    ("connect = [::1:25", "connect"),
    ("local = no.such.host.invalid", "local"),
    ("key = /nonexistent.key", "key"),
    ("CAfile = /nonexistent.ca\nverify = 2", "CAfile"),
    ("CRLfile = /nonexistent.crl", "CRLfile"),
    ("setuid = nosuchuser", "setuid"),
    ("setgid = nosuchgroup", "setgid"),
    ("pid = /run/x.pid", "pid"),  # a global option
    ("foreground = yes", "foreground"),
    ("include = /nonexistent.d", "include"),
    ("accpet = 25", "accpet"),
]


@pytest.mark.parametrize("line, option", BAD_LINES, ids=[line for line, _ in BAD_LINES])
def test_a_bad_value_is_refused_at_its_line(scene, pki, line, option):
    status, complaints, stderr = check(scene, service(pki, line))
    assert status == CONFIG, stderr
    assert [c for c in complaints if c[0] in (5, 6) and c[1].lower() == option.lower()], stderr


def test_good_beside_bad_the_plain_service_passes(scene, pki):
    assert check(scene, service(pki))[0] == 0


@pytest.mark.parametrize(
    "wrong, right",
    [("conect", "connect"), ("TIMEOUTidel", "TIMEOUTidle"), ("verifychian", "verifyChain"), ("CAflie", "CAfile")],
)
def test_a_misspelt_name_gets_a_suggestion(scene, pki, wrong, right):
    _, complaints, stderr = check(scene, service(pki, f"{wrong} = 1"))
    assert any(right in text for _, name, text in complaints if name == wrong), stderr


@pytest.mark.sanitize
@pytest.mark.parametrize(
    "raw",
    [b"", b"\0\0\0\0", b"[", b"]", b"=", b"= x\n", b"[]\n", b"\xff\xfe\x00", b"a" * 40000, b"[x]\n" * 3000,
     b"x=" + b"y" * 20000 + b"\n", b"include = .\n", b"\xef\xbb\xbf", b"accept=1\n\0connect=2\n"],
    ids=lambda raw: repr(raw[:12]),
)
def test_rubbish_is_refused_not_run(scene, raw):
    path = scene.file("rubbish/rubbish.conf", raw)
    done = scene.run("check", path)
    assert done.returncode == CONFIG and done.stderr.strip()
    assert scene.run(path).returncode == CONFIG


def test_missing_ends_of_a_service_are_named(scene, pki):
    for text, word in (
        (f"[x]\naccept = 127.0.0.1:0\ncert = {pki.server.bundle}\n", "connect"),
        (f"[x]\nconnect = 127.0.0.1:9\ncert = {pki.server.bundle}\n", "accept"),
        ("[x]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\n", "cert"),
    ):
        status, _, stderr = check(scene, text)
        assert status == CONFIG
        assert "[x]" in stderr and word in stderr, stderr


def test_a_range_without_versions_is_refused(scene, pki):
    status, _, stderr = check(scene, service(pki, "sslVersionMin = TLSv1.3", "sslVersionMax = TLSv1.2"))
    assert status == CONFIG and "sslVersionM" in stderr


def test_check_options_without_verification_are_refused(scene, pki):
    status, _, stderr = check(scene, service(pki, "checkHost = a.test"))
    assert status == CONFIG and "verifyChain" in stderr


# --- certificates and keys


@pytest.mark.parametrize("role", ["server", "client"])
def test_a_key_of_another_certificate_is_refused(scene, pki, role):
    text = (
        f"[tls]\nclient = {'yes' if role == 'client' else 'no'}\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\n"
        f"cert = {pki.server.path}\nkey = {pki.client.key}\n"
    )
    status, complaints, stderr = check(scene, text)
    assert status == CONFIG
    assert any(option in ("key", "cert") and "match" in words for _, option, words in complaints), stderr


def test_an_unreadable_certificate_is_refused(scene, pki):
    rubbish = scene.file("rubbish.pem", "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")
    for cert in (rubbish, "/nonexistent.pem", str(scene.folder), pki.server.key):
        status, complaints, stderr = check(scene, service(pki).replace(pki.server.bundle, cert))
        assert status == CONFIG, stderr
        assert any(option == "cert" and cert in words for _, option, words in complaints), stderr


def test_a_certificate_without_its_key_is_refused(scene, pki):
    status, _, stderr = check(scene, service(pki).replace(pki.server.bundle, pki.server.path))
    assert status == CONFIG and "key" in stderr


def test_an_encrypted_key_without_a_terminal_is_refused_not_waited_for(scene, pki):
    key = pki.server.encrypted_key(b"planted-passphrase")
    status, complaints, stderr = check(scene, service(pki, f"key = {key}"))
    assert status == CONFIG
    assert any(option == "key" for _, option, _ in complaints), stderr


def test_a_pkcs12_file_with_a_password_is_refused_not_waited_for(scene, pki):
    p12 = pki.client.p12(b"planted-passphrase")
    status, _, stderr = check(scene, service(pki).replace(pki.server.bundle, p12))
    assert status == CONFIG and "planted" not in stderr


def test_an_expired_certificate_of_our_own_is_warned_of_with_its_date(scene, pki):
    status, _, stderr = check(scene, service(pki).replace(pki.server.bundle, pki.expired.bundle))
    assert status == 0
    assert "expired" in stderr and str(pki.expired.cert.not_valid_after.year) in stderr


# --- the grammar


def test_comments_blanks_bom_crlf_and_case(scene, pki):
    server = scene.server(echo)
    text = (
        "\ufeff; comment\r\n# another\r\n\r\n   FOREGROUND =   YES  \r\nsyslog=no\r\n"
        f"Output = {scene.folder}/ginnel/log\r\ndebug = 7\r\n"
        f"  [ my service ]  \r\n\tACCEPT\t=\t127.0.0.1:0\r\n Connect = {server.address}\r\n"
        f"cert={pki.server.bundle}\r\n   ; indented comment\r\nTIMEOUTidle = 10"
    )
    daemon = scene.daemon(whole=text)
    near = scene.tls(daemon.port(" my service "))
    near.send(b"ping")
    assert near.recv(4) == b"ping"


def test_defaults_before_the_first_section_hold_for_all(scene, pki):
    server = scene.server(echo)
    daemon = scene.daemon(
        "[one]\naccept = 127.0.0.1:0\n[two]\naccept = 127.0.0.1:0\nsslVersion = TLSv1.2\n",
        f"cert = {pki.server.bundle}\nconnect = {server.address}\nsslVersion = TLSv1.3\n",
    )
    assert scene.tls(daemon.port("one")).version == "TLSv1.3"
    assert scene.tls(daemon.port("two")).version == "TLSv1.2"


def test_a_default_of_accept_is_bound_by_each_section(scene, pki):
    daemon = scene.daemon(
        "[one]\nconnect = 9\n[two]\nconnect = 9\naccept = 127.0.0.1:0\n",
        f"accept = 127.0.0.1:0\ncert = {pki.server.bundle}\n",
    )
    assert len(daemon.ports("one")) == 1
    assert len(set(daemon.ports("two"))) == 2


def test_global_options_are_refused_in_a_section(scene, pki):
    status, complaints, stderr = check(scene, service(pki, "chroot = /tmp"))
    assert status == CONFIG and [c for c in complaints if c[1] == "chroot"], stderr


def test_service_renames_a_section(scene, pki):
    server = scene.server(echo)
    daemon = scene.daemon(scene.section("x", server, f"cert = {pki.server.bundle}", "service = renamed"))
    assert daemon.ports("renamed")


def test_include_reads_a_folder_in_order_and_keeps_the_section(scene, pki):
    server = scene.server(echo)
    folder = scene.folder / "conf.d"
    folder.mkdir()
    (folder / "10-tls.conf").write_text(f"[inner]\naccept = 127.0.0.1:0\ncert = {pki.server.bundle}\n")
    (folder / "20-more.conf").write_text(f"connect = {server.address}\n")
    daemon = scene.daemon(f"include = {folder}\nTIMEOUTidle = 100\n[outer]\naccept = 127.0.0.1:0\n"
                          f"connect = {server.address}\ncert = {pki.server.bundle}\n")
    for name in ("inner", "outer"):
        near = scene.tls(daemon.port(name))
        near.send(b"ping")
        assert near.recv(4) == b"ping"


def test_faults_in_an_included_file_are_named_there(scene, pki):
    folder = scene.folder / "conf.d"
    folder.mkdir()
    (folder / "10.conf").write_text("\n\nbogus = 1\n")
    path = scene.file("outer.conf", service(pki, f"include = {folder}"))
    done = scene.run("check", path)
    assert done.returncode == CONFIG
    assert f"{folder}/10.conf:3: bogus: " in done.stderr


def test_a_folder_that_includes_itself_ends(scene):
    folder = scene.folder / "conf.d"
    folder.mkdir()
    (folder / "10.conf").write_text(f"include = {folder}\n")
    path = scene.file("outer.conf", f"include = {folder}\n")
    assert scene.run("check", path).returncode == CONFIG


def test_no_section_is_refused_with_words(scene):
    with pytest.raises(NotStarted) as refused:
        scene.daemon("")
    assert refused.value.status == CONFIG
