#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kconfig has every switch that the scripts read, and no other.

. "$(dirname "$0")/common.sh"

# What scripts tell each other, and what is not this project's.
OTHERS='BENCH|BUILD_LOUD|KERNEL_DEB|SERIES_ALLOW_(EMPTY|OFFSET)|FAMFS_(T0|BOOTED_AGAIN)'
OTHERS+='|FAMFS_(BACKEND|DAXDEVS|FULL)'
OTHERS+='|CCACHE_DIR|GIT_(AUTHOR|COMMITTER)_DATE|HOME|TERM|TMPDIR'

# switches_read: by the calls of switches, each of one line, braces expanded.
switches_read()
{
	local line

	grep -rhE '^switches [A-Z0-9_{}, ]+$' scripts --include='*.sh' |
	while read -r line; do
		eval "printf '%s\n' ${line#switches}"
	done | sort -u
}

# read_past: expansions with a default, which Kconfig has or a switch needs not.
# With a + it is no default.
read_past()
{
	local file line expansion name

	grep -rnoE '\$\{!?[A-Z][A-Z0-9_]*:?[-+=?]' scripts --include='*.sh' | sort |
	while IFS=: read -r file line expansion; do
		name=$(tr -dc 'A-Z0-9_' <<< "$expansion")
		if [[ $name =~ ^($OTHERS)$ ]]; then
			continue
		elif ! grep -qx "$name" <<< "$have"; then
			echo "$file:$line: $name is read, and not in Kconfig"
		elif [[ $expansion != *+ ]]; then
			echo "$file:$line: $name has its default in Kconfig"
		fi
	done
}

# incomplete: symbols without a type, a default or a help text.
incomplete()
{
	awk '
	function end() {
		if (name && !(type && value && help))
			print "Kconfig: " name " lacks a type, a default or a help text"
		type = value = help = 0
	}
	/^config / { end(); name = $2 }
	/^\t(bool|int|string) "/ { type = 1 }
	/^\tdefault / { value = 1 }
	/^\t  [^ ]/ { help = 1 }
	END { end() }' Kconfig
}

cd "$TOP"
have=$(sed -n 's/^config //p' Kconfig | sort)
said=$(
	uniq -d <<< "$have" | sed 's/.*/Kconfig: & is there twice/'
	comm -13 <(echo "$have") <(switches_read) | sed 's/.*/Kconfig: no &, which a script reads/'
	comm -23 <(uniq <<< "$have") <(switches_read) | sed 's/.*/Kconfig: no script reads &/'
	read_past
	incomplete
)
[ -z "$said" ] || { echo "$said"; exit 1; }
