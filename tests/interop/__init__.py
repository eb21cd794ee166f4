# SPDX-License-Identifier: Apache-2.0
# The daemon between real programs: mail, directory and web servers, browsers, and other tunnels.
