# SPDX-License-Identifier: Apache-2.0
# What the black-box tests stand on: certificates, the daemon under test, and peers that follow a script.
