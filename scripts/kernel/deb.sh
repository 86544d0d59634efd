#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Debian packages of a kernel with the series, on a configuration of yours, with
# what famfs needs switched on. A whole distribution's configuration takes hours
# and, with debug information, 30 GB.
#
# Usage: scripts/kernel/deb.sh [--configure] [OPTION=VALUE]...
#
#   CONFIG=FILE      the configuration; usual: that of the running kernel,
#                    /boot/config-* or /proc/config.gz
#   OPTION=VALUE     more that you want, such as DEBUG_INFO_NONE=y
#   --configure      only makes the configuration, and prints its path
#   LOCALVERSION=X   what the kernel's release ends with
#
# Leaves them in build/kernel-deb and prints their paths; the log of make is
# o/kernel-deb/build.log in the cache.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches CONFIG LOCALVERSION

release=$(uname -r)
work=$FAMFS_CACHE/o/kernel-deb
objects=$work/objects
log=$work/build.log
out=$BUILD/kernel-deb
only=
if [ "${1:-}" = --configure ]; then
	only=1
	shift
fi
options=(FUSE_FAMFS_DAX=y "$@")

for file in "/boot/config-$release" /proc/config.gz; do
	[ -n "$CONFIG" ] || [ ! -r "$file" ] || CONFIG=$file
done
[ -r "$CONFIG" ] ||
	die "no configuration of the running kernel, nor CONFIG=" \
	    "make kernel-deb CONFIG=FILE"

# configure: what the user has, then what famfs needs. Keys that a distribution
# signs with are not here.
configure()
{
	local option kconfig=$LINUX/scripts/config

	mkdir -p "$objects"
	gzip -cdf "$CONFIG" > "$objects/.config"
	# As modules or built in, as the user has them.
	for option in DAX DEV_DAX FUSE_FS; do
		grep -q "^CONFIG_$option=" "$objects/.config" ||
			options=("$option=m" "${options[@]}")
	done
	# What they depend on, first.
	options=(MEMORY_HOTPLUG=y MEMORY_HOTREMOVE=y SPARSEMEM_VMEMMAP=y
		 TRANSPARENT_HUGEPAGE=y ZONE_DEVICE=y FS_DAX=y "${options[@]}")
	"$kconfig" --file "$objects/.config" \
		--set-str SYSTEM_TRUSTED_KEYS '' --set-str SYSTEM_REVOCATION_KEYS ''
	for option in "${options[@]}"; do
		"$kconfig" --file "$objects/.config" \
			--set-val "${option%%=*}" "${option#*=}"
	done
	make "${args[@]}" olddefconfig > "$work/config.log" 2>&1
}

# verify: Kconfig drops what something else is missing for.
verify()
{
	local option bad=()

	for option in "${options[@]}"; do
		case $option in
		*=n) ! grep -q "^CONFIG_${option%=n}=" "$objects/.config" || bad+=("$option") ;;
		*=m) grep -q "^CONFIG_${option%=m}=[ym]$" "$objects/.config" || bad+=("$option") ;;
		*)   grep -qxF "CONFIG_$option" "$objects/.config" || bad+=("$option") ;;
		esac
	done
	grep -q '^CONFIG_DEV_DAX_FSDEV=' "$objects/.config" || bad+=(DEV_DAX_FSDEV)
	[ ${#bad[@]} -eq 0 ] ||
		die "these did not take effect on $CONFIG:" "${bad[@]}" \
		    "make ... OPTIONS='OPTION=VALUE' switches on what they need."
}

build()
{
	# Of an earlier run.
	rm -f "$work"/*.deb "$work"/*.buildinfo "$work"/*.changes
	make "${args[@]}" bindeb-pkg > "$log" 2>&1 || {
		grep -nE 'error:|undefined reference|\*\*\*' "$log" |
			head -n 40 >&2
		die "the packages cannot be built" "The whole log: $log"
	}
	rm -rf "$out"
	mkdir -p "$out"
	mv "$work"/*.deb "$out"
}

KERNEL_DEB=1 "$TOP/scripts/env/packages.sh"
"$TOP/scripts/series/base.sh" linux
"$TOP/scripts/series/apply.sh" linux
args=(-C "$LINUX" "O=$objects" -j "$JOBS" "LOCALVERSION=$LOCALVERSION"
      KBUILD_BUILD_USER=famfs KBUILD_BUILD_HOST=localhost)
if command -v ccache > /dev/null; then
	export CCACHE_DIR=${CCACHE_DIR:-$FAMFS_CACHE/ccache}
	args+=("CC=ccache gcc")
fi
# Of the packages; else the user's name on this machine is asked for.
export DEBFULLNAME=famfs DEBEMAIL=famfs@localhost

lock o-kernel-deb
configure
verify
if [ -n "$only" ]; then
	echo "$objects/.config"
	exit
fi
step "building Debian packages of the kernel, on $CONFIG" build
ls "$out"/*.deb
