#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# libfuse's own checkpatch has nothing to say about any patch of its series.

. "$(dirname "$0")/common.sh"

# What libfuse does otherwise throughout, so that it says it in vain: a FUSE
# server says ENOSYS of a request that it does not know, headers have ruled-off
# headings, printcap's table begins with spaces, and the change log begins with
# the newest release. There are no MAINTAINERS and no ARRAY_SIZE().
EXEMPT=(
	'ENOSYS||'
	'FILE_PATH_CHANGES||'
	'ARRAY_SIZE||'
	'BLOCK_COMMENT_STYLE||---------- \*/'
	'LEADING_SPACE|example/printcap\.c|'
	'SPDX_LICENSE_TAG|ChangeLog\.rst|'
)

"$TOP/scripts/series/make.sh" libfuse >/dev/null
bad=0
for patch in "$BUILD"/series/libfuse/00*.patch; do
	case $patch in
	*/0000-*) continue ;;
	esac
	status=0
	# On its standard error it says that it has no dictionary.
	said=$(cd "$LIBFUSE" && perl checkpatch.pl --no-tree --no-signoff \
		--quiet --show-types --no-summary --color=never "$patch" \
		2>/dev/null) || status=$?
	[ $status -le 1 ] || said+="checkpatch ends with $status"
	found=$("$TOP/scripts/check/exempt.sh" "${EXEMPT[@]}" <<< "$said")
	[ -z "$found" ] || { printf '== %s\n%s\n' "$(basename "$patch")" "$found"; bad=1; }
done
exit $bad
