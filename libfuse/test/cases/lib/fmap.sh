# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# lib/fmap.sh - body for the cases of files that are mapped onto a dax device.
#
# Caller sets FMAP_PROGRAM and FMAP_TESTS before sourcing, or neither where it
# needs the gates alone:
#   FMAP_PROGRAM  test_fmap_mount | test_fmap_device
#   FMAP_TESTS    what the names of the tests to run begin with
#
# $FUSE_TEST_DAXDEV names the device, of 512 MiB or more and bound to the
# fsdev_dax driver. What is on it is overwritten.

# shellcheck disable=SC1091
. "$TEST_LIB/common.sh"

_require_linux "mapping files onto dax devices"
_require_root
_require_cap FUSE_CAP_DAX_FMAP
[ -n "${FUSE_TEST_DAXDEV:-}" ] || _notrun "FUSE_TEST_DAXDEV is not set"

# A test that fails leaves its mount, which would keep the device from others.
_at_exit "umount -l '$TEST_MNT' 2>/dev/null"

[ -z "${FMAP_TESTS:-}" ] ||
	"$FUSE_TEST_BIN_DIR/$FMAP_PROGRAM" "$TEST_MNT" "$FUSE_TEST_DAXDEV" \
		"$FMAP_TESTS"
