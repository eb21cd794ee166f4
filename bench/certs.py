# SPDX-License-Identifier: Apache-2.0
"""bench/certs.py -- a throw-away CA and what it signs; a PEM file holds certificate and key."""

import os
import subprocess

DAYS = '30'
KEYS = {
    'ecdsa': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    'rsa': ['-newkey', 'rsa:2048'],
}


def _request(key, subject, cert_out, key_out, *more):
    command = ['openssl', 'req', '-x509', *KEYS[key], '-nodes', '-subj', f'/CN={subject}',
               '-days', DAYS, '-keyout', key_out, '-out', cert_out, *more]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


class Certs:
    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / 'ca.pem'
        self.ca_key = folder / 'ca.key'
        if not self.ca.exists():
            _request('ecdsa', 'bench CA', self.ca, self.ca_key)

    def pem(self, name, key='ecdsa'):
        """The file for `name`, made when first asked for."""
        path = self.folder / f'{name}.pem'
        if not path.exists():
            cert, secret = path.with_suffix('.crt'), path.with_suffix('.key')
            _request(key, 'localhost', cert, secret, '-CA', self.ca, '-CAkey', self.ca_key,
                     '-addext', 'subjectAltName=DNS:localhost',
                     '-addext', 'basicConstraints=critical,CA:false')
            path.write_text(cert.read_text() + secret.read_text())
            os.chmod(path, 0o600)
            cert.unlink()
            secret.unlink()
        return path

    def server(self, key):
        return self.pem(f'server-{key}', key)

    def client(self):
        return self.pem('client')

    def service(self, n):
        return self.pem(f'service-{n}')
