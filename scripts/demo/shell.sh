#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An interactive guest on this terminal, with the commands installed and a famfs
# file system mounted at /mnt/famfs. Leave it with exit, or Ctrl-a x.
#
# Usage: scripts/demo/shell.sh [OPTION OF guest/boot.sh]...
#
# FAMFS_SHELL_START='COMMANDS' runs in the guest first, in place of the mount.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches FAMFS_SHELL_START

"$TOP/scripts/env/prepare.sh" default
"$TOP/scripts/test/selftests.sh"
"$TOP/scripts/demo/programs.sh"

# The guest expands them.
# shellcheck disable=SC2016
[ -n "$FAMFS_SHELL_START" ] || FAMFS_SHELL_START='bash "$FAMFS_TOP/scripts/guest/shell.sh"'
# shellcheck disable=SC2016
start='cp -a "$FAMFS_TOP/build/demo/root/." /; '$FAMFS_SHELL_START

# Commands are completed by what is installed with them.
rc=/usr/share/bash-completion/completions/famfs
exec "$TOP/scripts/guest/boot.sh" -i "$@" -- /bin/sh -c \
	"$start; exec bash --rcfile $rc -i || exec sh -i"
