#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# MAINTAINERS has an entry for every new file, and no pattern for nothing.

. "$(dirname "$0")/common.sh"

need_series
# has_entry PATH: sections are in capitals, people have addresses.
has_entry()
{
	perl scripts/get_maintainer.pl --no-git --no-git-fallback --no-rolestats \
		--subsystem -f "$1" 2>/dev/null | grep -v @ | grep -qvx 'THE REST'
}

cd "$LINUX"
bad=0

# The lines of MAINTAINERS that the series adds are the entry: each pattern must
# match a file. A new file that none of them matches must have another entry.
patterns=$(tree_git . diff base series -- MAINTAINERS | sed -nE 's/^\+F:[[:space:]]*//p')
while read -r pattern; do
	[ -n "$pattern" ] || continue
	compgen -G "$pattern" >/dev/null ||
		{ echo "MAINTAINERS: $pattern matches no file"; bad=1; }
done <<< "$patterns"

while read -r path; do
	covered=
	while read -r pattern; do
		# A pattern that ends in a slash is for all that is below.
		case $pattern in
		'')	continue ;;
		*/)	pattern="$pattern*" ;;
		esac
		# shellcheck disable=SC2053 # a pattern it is
		[[ $path != $pattern ]] || covered=y
	done <<< "$patterns"
	[ -n "$covered" ] || has_entry "$path" ||
		{ echo "MAINTAINERS: no entry covers $path"; bad=1; }
done < <(touched A)

# What get_maintainer itself finds wrong with a section that is ours.
perl scripts/get_maintainer.pl --self-test=sections > "$BUILD/check/maintainers.out" 2>&1 || true
while read -r title; do
	! grep -F "	$title" "$BUILD/check/maintainers.out" || bad=1
done < <(tree_git . diff base series -- MAINTAINERS | sed -nE '/^\+\+\+/d; /^\+[A-Z]:/d; s/^\+(.+)/\1/p')
exit $bad
