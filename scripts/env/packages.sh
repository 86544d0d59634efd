#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Installs the Debian packages that the project needs, if any is missing.
#
# Usage: scripts/env/packages.sh
#        scripts/env/packages.sh --list    only names those that are missing

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches FULL

PACKAGES=(
	# fetching and unpacking the base
	git xz-utils debian-archive-keyring
	# building the kernel
	gcc make flex bison bc libelf-dev perl python3 ccache
	# installing kernel headers and kselftests
	rsync
	# mainline's kselftests of fs/fuse
	libfuse-dev libfuse3-dev
	# building libfuse, with io-uring
	meson ninja-build pkg-config liburing-dev libnuma-dev
	# the tools of tools/famfs and their tests
	libblkid-dev uuid-dev libjson-c-dev zlib1g-dev libbsd-dev libcmocka-dev
	# their manual pages
	scdoc mandoc
	# make deb
	dpkg-dev binutils
	# the guest
	qemu-system-x86 busybox-static cpio
	# devices, tools, file systems and programs used inside the guest
	ndctl daxctl fio strace e2fsprogs xfsprogs sqlite3
	# make check
	codespell shellcheck g++ abigail-tools libc6-dev-i386
	# awks that machines may have, to try the scripts with; busybox has one
	gawk mawk
)
# make check FULL=1 builds for other machines.
[ -z "$FULL" ] || PACKAGES+=(gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu)
# make kernel-deb.
[ -z "${KERNEL_DEB:-}" ] || PACKAGES+=(debhelper libssl-dev libdw-dev kmod)
# make bench draws plots.
[ -z "${BENCH:-}" ] || PACKAGES+=(python3-matplotlib)
# make test FULL=1 goes on with libFuzzer.
[ -z "$FULL" ] || PACKAGES+=(clang libclang-rt-14-dev)

missing()
{
	local pkg

	for pkg in "${PACKAGES[@]}"; do
		# shellcheck disable=SC2016 # dpkg expands this, not the shell
		dpkg-query -W -f='${db:Status-Abbrev}' "$pkg" 2>/dev/null |
			grep -q '^ii' || echo "$pkg"
	done
}

command -v dpkg-query >/dev/null ||
	die "this machine has no dpkg" \
	    "Install by hand what these Debian packages bring: ${PACKAGES[*]}"

mapfile -t need < <(missing)
if [ "${1:-}" = --list ]; then
	[ ${#need[@]} -eq 0 ] || printf '%s\n' "${need[@]}"
	exit 0
fi
[ ${#need[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
	as_root=(sudo)
	command -v sudo >/dev/null ||
		die "packages are missing: ${need[*]}" \
		    "As root: apt-get install --no-install-recommends ${need[*]}"
fi

install_packages()
{
	"${as_root[@]}" apt-get -qq update &&
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -o Dpkg::Use-Pty=0 install -y \
		--no-install-recommends "${need[@]}" >/dev/null
}

step "installing packages: ${need[*]}" install_packages ||
	die "packages could not be installed: ${need[*]}" \
	    "As root: apt-get install --no-install-recommends ${need[*]}"
