#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# gcc with W=1 warns of nothing in what is touched.

. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/build.sh"

need_series
build_config w1 "${MAIN[@]}"
build_make w1 prepare
# shellcheck disable=SC2046 # words they are
build_make w1 W=1e $(build_targets series)
