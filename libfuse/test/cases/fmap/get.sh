#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# GROUP: fmap serial
# TIMEOUT: 240

FMAP_PROGRAM=test_fmap_mount
FMAP_TESTS=get-

. "$TEST_LIB/fmap.sh"
