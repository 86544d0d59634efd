#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# GROUP: fmap serial
# TIMEOUT: 240
# shellcheck disable=SC1091,SC2034 # what is sourced is found, and reads these, at run time

FMAP_PROGRAM=test_fmap_device
FMAP_TESTS=backing-

. "$TEST_LIB/fmap.sh"
