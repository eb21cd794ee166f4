# SPDX-License-Identifier: Apache-2.0
# Fixtures of all black-box tests.
import os
import shutil
import signal

import pytest

from lib import wait
from lib.daemon import GINNEL
from lib.pki import Pki
from lib.scene import Scene


def pytest_sessionstart(session):
    wait.adopt_orphans()
    # A shell lets what it starts with & ignore these, and so would every daemon that is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_report_header(config):
    return f"under test: {GINNEL}"


def pytest_collection_modifyitems(items):
    skip = pytest.mark.skip(reason="NOT TESTED: this needs root")
    for item in items:
        if "root" in item.keywords and os.geteuid() != 0:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """Certificates; a test that changes files makes its own Pki."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def scene(tmp_path, pki):
    """Daemons and peers of one test, all gone at its end."""
    stage = Scene(tmp_path, pki)
    yield stage
    stage.close()


@pytest.fixture
def machine(scene):
    """A network of the test's own, which it is in, and where it may make network devices and routes."""
    return scene.closers.enter_context(scene.machines(1, devices=["/dev/net/tun"])[0])


@pytest.fixture
def openssl():
    """The openssl command."""
    return shutil.which("openssl")
