# SPDX-License-Identifier: Apache-2.0
# Fixtures of the tests with real programs.
import pytest

from interop.host import free_port, public_folder
from interop.incumbent import Stunnel
from interop.postfix import Postfix
from interop.recipes import Machine


@pytest.fixture
def tmp_path():
    """Shorter than pytest's own, and open to users that daemons become."""
    with public_folder() as folder:
        yield folder


@pytest.fixture
def machine(tmp_path, pki):
    return Machine(tmp_path / "machine", pki)


@pytest.fixture(scope="session")
def postfix():
    with public_folder() as folder:
        server = Postfix(folder / "postfix", free_port(), ["alice"])
        yield server
        server.close()


@pytest.fixture
def stunnel(scene):
    """Start Debian's stunnel with one section."""

    def start(section):
        folder = scene.folder / "stunnel"
        folder.mkdir()
        daemon = Stunnel(folder, section, start=False)
        scene.daemons.append(daemon)
        daemon.start()
        return daemon

    return start
