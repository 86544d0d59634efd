#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fetches packages of Debian suites that the machine itself does not follow,
# through a private apt root in the cache. The machine's packages and its list
# of sources stay untouched, and no root rights are needed.
#
# Usage: scripts/env/debian-fetch.sh versions PKG             versions on offer, newest first
#        scripts/env/debian-fetch.sh src-versions PKG         the same for source packages
#        scripts/env/debian-fetch.sh fetch-deb PKG VERSION    a binary package into dl/
#        scripts/env/debian-fetch.sh fetch-src PKG VERSION    a source package into dl/

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

BINARY_SUITE=trixie-backports
SOURCE_SUITE=forky
ROOT=$FAMFS_CACHE/apt

# The machine's own configuration says which mirror it can reach.
mirror()
{
	# shellcheck disable=SC2016 # apt expands these, not the shell
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
		grep -E '/debian/?$' | head -n 1
}

make_root()
{
	local uri signed

	uri=$(mirror) || true
	[ -n "$uri" ] ||
		die "the machine's apt configuration names no Debian mirror" \
		    "Add one to its sources, or put the files into $DL by hand."
	signed=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -r $signed ] ||
		die "no $signed" "apt-get install debian-archive-keyring"

	mkdir -p "$ROOT/state/lists/partial" "$ROOT/cache/archives/partial"
	: > "$ROOT/status"
	cat > "$ROOT/sources.list" <<-EOF
	deb [signed-by=$signed] $uri $BINARY_SUITE main
	deb-src [signed-by=$signed] $uri $SOURCE_SUITE main
	EOF

	# Read after the machine's own settings, so a proxy of its stays in
	# force. Check-Valid-Until: the Release file of a testing suite expires
	# within days and a mirror may hold an old one; the signature is still
	# verified, and what is fetched is compared with pinned sums.
	# Sandbox: apt's own user cannot enter a cache in somebody's home.
	cat > "$ROOT/apt.conf" <<-EOF
	#clear APT::Update::Post-Invoke-Success;
	#clear APT::Update::Post-Invoke;
	Dir::Etc::sourcelist "$ROOT/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	Dir::State "$ROOT/state";
	Dir::State::status "$ROOT/status";
	Dir::Cache "$ROOT/cache";
	Acquire::Check-Valid-Until "false";
	Acquire::Languages "none";
	APT::Sandbox::User "root";
	EOF
}

update()
{
	# One run asks several times.
	[ -z "$(find "$ROOT/updated" -mmin -10 2>/dev/null)" ] || return 0
	make_root
	step "reading the package lists of $BINARY_SUITE and $SOURCE_SUITE" \
		apt-get -c "$ROOT/apt.conf" -qq update ||
		die "the package lists of $BINARY_SUITE and $SOURCE_SUITE could not be had" \
		    "Is the mirror reachable? See $ROOT/sources.list."
	touch "$ROOT/updated"
}

apt_fetch()
{
	cd "$DL"
	apt-get -c "$ROOT/apt.conf" -q "$@" >&2
}

command -v apt-get >/dev/null ||
	die "this machine has no apt-get" \
	    "Put the files into $DL by hand; scripts/lib.sh names versions and sums."
[ $# -ge 2 ] || usage
pkg=$2
version=${3:-}
mkdir -p "$DL"
lock apt
update

case $1 in
versions)
	apt-cache -c "$ROOT/apt.conf" madison "$pkg" |
		awk -F' *[|] *' '$3 ~ /Packages/ { print $2 }'
	;;
src-versions)
	apt-cache -c "$ROOT/apt.conf" madison "$pkg" |
		awk -F' *[|] *' '$3 ~ /Sources/ { print $2 }'
	;;
fetch-deb)
	[ -n "$version" ] || usage
	step "fetching package $pkg $version" apt_fetch download "$pkg=$version" ||
		die "package $pkg $version could not be fetched"
	;;
fetch-src)
	[ -n "$version" ] || usage
	step "fetching source package $pkg $version" \
		apt_fetch source --download-only --only-source "$pkg=$version" ||
		die "source package $pkg $version could not be fetched"
	;;
*)
	usage
	;;
esac
