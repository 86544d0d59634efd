#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An interactive guest on this terminal. Leave it with exit, or Ctrl-a x.
#
# Usage: scripts/shell.sh [OPTION OF guest.sh]...
#
# FAMFS_SHELL_START='COMMANDS' runs in the guest first.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

exec "$TOP/scripts/guest.sh" -i "$@" -- /bin/sh -c \
	"${FAMFS_SHELL_START:-:}; exec bash -i || exec sh -i"
