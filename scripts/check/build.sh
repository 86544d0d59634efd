# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Compiling the touched parts of the kernel, for the gates that do. Sourced
# after common.sh.
#
#   build_config DIR TOGGLE...   a configuration in o/check-DIR of the cache
#   build_targets COMMIT [DIR]   what the series touches, as make takes it
#   build_make DIR ARGS...       make there
#   build_linked DIR             what it compiled there of FUSE also links
#   build_worktree COMMIT        BUILD_TREE is a tree of its own, at a commit
#
# BUILD_TREE is the source, BUILD_ARCH and BUILD_CROSS the machine it is for;
# BUILD_LOUD has make name what it does.

BUILD_TREE=$LINUX
BUILD_ARCH=x86
BUILD_CROSS=
BUILD_LOUD=
BUILD_FRAGMENTS=("$TOP/scripts/check/x86.config")

# The configuration that compiles the most, in the directory of that name.
# shellcheck disable=SC2034
MAIN=(FUSE_FS=y FUSE_FAMFS_DAX=y FUSE_DAX=y)

# Objects depend on nothing but the source, so that ccache knows them again.
export CCACHE_DIR=${CCACHE_DIR:-$FAMFS_CACHE/ccache} CCACHE_NOHASHDIR=1
unset CCACHE_BASEDIR

build_out()
{
	echo "$FAMFS_CACHE/o/check-$1"
}

build_make()
{
	local out ccache=

	out=$(build_out "$1")
	shift
	! command -v ccache >/dev/null || ccache='ccache '
	# Without descriptor 3, which a compiler has no use for.
	make "${BUILD_LOUD:---silent}" -C "$BUILD_TREE" "O=$out" -j "$JOBS" "ARCH=$BUILD_ARCH" \
		"CROSS_COMPILE=$BUILD_CROSS" \
		"CC=$ccache${BUILD_CROSS}gcc" "HOSTCC=${ccache}gcc" LOCALVERSION= \
		KBUILD_BUILD_TIMESTAMP=2026-01-01 KBUILD_BUILD_VERSION=1 \
		KBUILD_BUILD_USER=famfs KBUILD_BUILD_HOST=localhost "$@" 3>&-
}

# known SYMBOL: the tree's Kconfig has it; patches before the one that brings a
# symbol do not.
known()
{
	git -C "$BUILD_TREE" grep -qwE "^(menu)?config $1" -- '*Kconfig*'
}

ignored()
{
	echo "check-$1: $2 did not take effect"
	exit 1
}

# build_config DIR TOGGLE...: a toggle is SYMBOL=y, =m or =n. Each must take
# effect, or the gate would test something else than it says.
build_config()
{
	local dir=$1 out toggle symbol

	out=$(build_out "$1")
	shift
	mkdir -p "$out"
	{
		cat "$TOP/scripts/check/build.config" "${BUILD_FRAGMENTS[@]}"
		printf 'CONFIG_%s\n' "$@"
	} > "$out/wanted"
	# Written anew only if it differs, by Kconfig itself.
	build_make "$dir" "KCONFIG_ALLCONFIG=$out/wanted" allnoconfig \
		> "$out/config.log" 2>&1 || { cat "$out/config.log"; exit 1; }
	for toggle in "$@"; do
		symbol=CONFIG_${toggle%=*}
		if [[ $toggle == *=n ]]; then
			! grep -q "^$symbol=" "$out/.config" || ignored "$dir" "$toggle"
		elif known "${symbol#CONFIG_}"; then
			grep -qx "CONFIG_$toggle" "$out/.config" || ignored "$dir" "$toggle"
		fi
	done
}

# build_linked DIR: FUSE calls no function of its own that is not there yet,
# which compiling a directory does not show.
build_linked()
{
	local fuse missing

	fuse=$(build_out "$1")/fs/fuse
	if grep -qx CONFIG_FUSE_FS=m "$(build_out "$1")/.config"; then
		fuse+=/fuse.o
	else
		fuse+=/built-in.a
	fi
	missing=$(nm --print-file-name "$fuse" |
		  awk 'NF < 2 { next }
		       $(NF - 1) == "U" { used[$NF] = 1 }
		       $(NF - 1) ~ /^[TDRB]$/ { there[$NF] = 1 }
		       END { for (s in used) if (s ~ /^famfs_/ && !(s in there)) print s }' | sort)
	[ -z "$missing" ] || { echo "not there yet: $missing"; return 1; }
}

# build_targets COMMIT [DIR]: less the files that the configuration in DIR leaves
# out, which make would compile all the same.
build_targets()
{
	local path

	{
		printf '%s\n' fs/fuse/ drivers/dax/ fs/dax.o
		tree_git "$LINUX" diff-tree -r --no-renames --name-only base "$1" |
		while read -r path; do
			case $path in
			fs/fuse/*|drivers/dax/*|fs/dax.c|tools/*|Documentation/*|samples/*) ;;
			*.c)	echo "${path%.c}.o" ;;
			esac
		done
	} | while read -r path; do
		[ $# -eq 1 ] || configured "$path" "$2" || continue
		echo "$path"
	done
}

# configured OBJECT DIR: by the option that its Makefile names.
configured()
{
	local option

	[ -f "$BUILD_TREE/${1%.o}.c" ] || return 0
	option=$(sed -nE "s/^obj-\\$\((CONFIG_[A-Z0-9_]+)\).*[[:space:]]$(basename "$1")([[:space:]].*)?$/\1/p" \
		"$BUILD_TREE/$(dirname "$1")/Makefile")
	[ -z "$option" ] || grep -q "^$option=" "$(build_out "$2")/.config"
}

# build_worktree COMMIT: apart from the tree that the developer builds from,
# whose files are to keep their times.
build_worktree()
{
	BUILD_TREE=$FAMFS_CACHE/check-linux
	if ! tree_git "$BUILD_TREE" cat-file -e base 2>/dev/null; then
		progress "a second tree for the gates"
		rm -rf "$BUILD_TREE"
		tree_git "$LINUX" worktree prune
		tree_git "$LINUX" worktree add -q --detach "$BUILD_TREE" "$1"
	fi
	tree_git "$BUILD_TREE" checkout -q --force --detach "$1"
}

# build_kept NAME: a file for what depends on the base alone.
build_kept()
{
	mkdir -p "$FAMFS_CACHE/check"
	echo "$FAMFS_CACHE/check/$1-$({
		tree_git "$LINUX" rev-parse 'base^{commit}'
		cat "$TOP/scripts/check/"*.config "$TOP/scripts/check/$1.sh"
		gcc --version
		build_targets series
	} | sha256sum | cut -c 1-16)"
}

# plain: messages without what differs between two trees: their folder, lines.
plain()
{
	sed -E "s,$BUILD_TREE/,,g; s/:[0-9]+(:[0-9]+)?:?/:/" | sort -u
}
