#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Backend nvdimm: as pmem, on NVDIMMs of QEMU.

exec sh "$(dirname "$0")/backend-pmem.sh"
