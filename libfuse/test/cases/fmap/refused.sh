#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# GROUP: fmap examples quick

# Where the kernel offers no maps of files, who starts the example is told so,
# also where it would run in the background. The kernel is made up.

# shellcheck disable=SC2034 # read by what is sourced
_fuse_no_mount_needed=1
# shellcheck disable=SC1091
. "$TEST_LIB/common.sh"

_require_linux "a session on /dev/fd"
_require_binary example/fmap_ll

_check fuse_test_fmap_init "$FUSE_EXAMPLE_DIR/fmap_ll"
