#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the guest's kernel from the tree in the cache as it is checked out.
#
# Usage: scripts/kernel/build.sh default|debug|bench [NAME [OPTION=VALUE]...]
#
# Leaves o/CONFIG/arch/x86/boot/bzImage in the cache; the log of make is
# o/CONFIG/build.log there. With NAME it is another kernel, o/NAME, with options
# of its own; it begins as a copy of CONFIG's objects, so that only what differs
# is compiled.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

config=${1:-}
[ -e "$TOP/scripts/kernel/config/${config:-none}.config" ] || usage
[ -d "$LINUX/.git" ] || die "no kernel tree" "Run scripts/series/base.sh linux"

name=${2:-$config}
options=("${@:3}")
out=$FAMFS_CACHE/o/$name
log=$out/build.log
fragments=("$TOP/scripts/kernel/config/default.config")
[ "$config" = default ] || fragments+=("$TOP/scripts/kernel/config/$config.config")

# The same bytes for the same source, and nothing of this machine in them.
# LOCALVERSION: without it every commit of the throw-away tree adds a "+".
args=(-C "$LINUX" "O=$out" -j "$JOBS" LOCALVERSION=
      KBUILD_BUILD_TIMESTAMP=2026-01-01 KBUILD_BUILD_VERSION=1
      KBUILD_BUILD_USER=famfs KBUILD_BUILD_HOST=localhost)
if command -v ccache >/dev/null; then
	export CCACHE_DIR=${CCACHE_DIR:-$FAMFS_CACHE/ccache}
	args+=("CC=ccache gcc")
fi

# begin: what only a kernel under another name needs.
begin()
{
	[ "$name" != "$config" ] || return 0
	[ -e "$out/.config" ] || [ ! -e "$FAMFS_CACHE/o/$config/.config" ] || {
		rm -rf "$out"
		cp -a --reflink=auto "$FAMFS_CACHE/o/$config" "$out"
		# The tools know where they are; all objects are made anew
		# after them.
		grep -rl --include=.*.cmd --include=*.d "/o/$config/" "$out/tools" |
			xargs -r sed -i "s,/o/$config/,/o/$name/,g"
	}
	mkdir -p "$out"
	printf 'CONFIG_%s\n' "${options[@]}" |
		sed -E 's/^(CONFIG_[A-Z0-9_]+)=n$/# \1 is not set/; /^CONFIG_$/d' > "$out/options"
	fragments+=("$out/options")
}

# A new .config replaces the old one only if it differs: its time decides
# whether make looks at every object.
configure()
{
	local new=$out/config

	rm -f "$new/.config"
	mkdir -p "$new"
	(
		cd "$LINUX"
		scripts/kconfig/merge_config.sh -Q -n -O "$new" \
			kernel/configs/tiny-base.config "${fragments[@]}" \
			> "$out/config.log" 2>&1
	) || { cat "$out/config.log" >&2; die "the kernel cannot be configured"; }
	cmp -s "$new/.config" "$out/.config" ||
		cp "$new/.config" "$out/.config"
}

# Every symbol asked for must have its value. Symbols of the feature itself
# are unknown to a tree without the series, and may be.
verify_config()
{
	local line sym bad=()

	while read -r line; do
		sym=${line#\# }
		sym=${sym%%[ =]*}
		if [[ $line == \#* ]]; then
			grep -q "^$sym=" "$out/.config" || continue
		else
			! grep -qxF "$line" "$out/.config" || continue
		fi
		if [[ $sym == CONFIG_FUSE_FAMFS_* ]] &&
		   ! grep -qrw --include=Kconfig "config ${sym#CONFIG_}" \
			"$LINUX/fs/fuse"; then
			say "this tree has no $sym: the series is not in it"
			continue
		fi
		bad+=("$line")
	done < <(awk '
		match($0, /CONFIG_[A-Z0-9_]+/) && (/^CONFIG/ || / is not set$/) {
			want[substr($0, RSTART, RLENGTH)] = $0
		}
		END { for (s in want) print want[s] }' "${fragments[@]}" | sort)

	[ ${#bad[@]} -eq 0 ] || {
		# A stale .config would pass for a good one next time.
		rm "$out/.config"
		die "these did not take effect in $name:" "${bad[@]}"
	}
}

objects()
{
	grep -cE '^  (CC|AS|HOSTCC) ' "$log" || true
}

# Shows how far make is: on a terminal in place, else a line twice a minute.
watch_make()
{
	local pid=$1 expected=$2 start tick=0 line

	start=$(date +%s)
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		tick=$((tick + 1))
		line="kernel $name: $(objects) of about $expected objects, $(($(date +%s) - start)) s"
		if [ -t 2 ]; then
			printf '\r%s ' "$line" >&2
		elif [ $((tick % 30)) -eq 0 ]; then
			say "$line"
		fi
	done
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

build()
{
	local pid expected

	expected=$(sed -n 's/^# objects: //p' "${fragments[@]}" | tail -n 1)
	make "${args[@]}" bzImage > "$log" 2>&1 &
	pid=$!
	trap 'kill $pid 2>/dev/null || true' EXIT
	watch_make "$pid" "$expected"
	trap - EXIT
	wait "$pid" || {
		grep -nE 'error:|undefined reference|\*\*\*' "$log" |
			head -n 40 >&2
		die "the kernel does not build" "The whole log: $log"
	}
}

lock "o-$name"
begin
configure
verify_config
step "building kernel $name" build
say "kernel $name: $(objects) objects compiled; $out/arch/x86/boot/bzImage"
