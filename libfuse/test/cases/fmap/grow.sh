#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# GROUP: fmap serial
# TIMEOUT: 240

FMAP_PROGRAM=test_fmap_device
FMAP_TESTS=grow-

. "$TEST_LIB/fmap.sh"
