#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes a Debian package of the commands of tools/famfs, with our libfuse inside,
# and prints its path.
#
# Usage: scripts/tools/deb.sh
#
# DEB_VERSION= says its version.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches DEB_VERSION

out=$BUILD/deb
root=$out/root
version=$DEB_VERSION
arch=$(dpkg --print-architecture)
package=$out/famfs-tools_${version}_$arch.deb

rm -rf "$out"
mkdir -p "$root/DEBIAN" "$out/debian"
DESTDIR=$root "$TOP/scripts/tools/userspace.sh" install
strip --strip-unneeded "$root/usr/sbin/famfs"
gzip -9n "$root"/usr/share/man/man*/*

# dpkg-shlibdeps wants to be where a source package is.
printf 'Source: famfs-tools\n\nPackage: famfs-tools\nArchitecture: any\n' \
	> "$out/debian/control"
depends=$(cd "$out" && dpkg-shlibdeps -O root/usr/sbin/famfs 2> /dev/null |
	  sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || die "dpkg-shlibdeps knows no libraries of famfs" \
	"See $out."
cat > "$root/DEBIAN/control" <<TEXT
Package: famfs-tools
Version: $version
Architecture: $arch
Maintainer: famfs <famfs@localhost>
Depends: $depends, mount
Recommends: daxctl, kmod
Section: admin
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Description: file system on memory that is attached to a fabric
 famfs keeps files on dax devices, such as CXL or persistent memory. They are
 read, written and mapped in place. This package makes, mounts and checks such
 file systems; the kernel needs CONFIG_FUSE_FAMFS_DAX.
TEXT
dpkg-deb --root-owner-group --build "$root" "$package" > /dev/null
echo "$package"
