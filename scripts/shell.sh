#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An interactive guest on this terminal, with files on a dax device mounted at
# /tmp/famfs. Leave it with exit, or Ctrl-a x.
#
# Usage: scripts/shell.sh [OPTION OF guest.sh]...
#
# FAMFS_SHELL_START='COMMANDS' runs in the guest first, in place of the mount.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$TOP/scripts/prepare.sh" default
"$TOP/scripts/selftests.sh"
"$TOP/scripts/demo-programs.sh"

# The server ends with its standard input.
# shellcheck disable=SC2016 # the guest expands it
start='mkdir -p /tmp/famfs
sleep infinity | '$BUILD'/demo/serve /tmp/famfs "${FAMFS_DAXDEVS%% *}" one:4194304 two:67108864 > /dev/null &
until mountpoint -q /tmp/famfs; do sleep 0.1; done
ls -l /tmp/famfs'

exec "$TOP/scripts/guest.sh" -i "$@" -- /bin/sh -c \
	"${FAMFS_SHELL_START:-$start}; exec bash -i || exec sh -i"
