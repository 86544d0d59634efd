# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Completion in bash of famfs and its other names: commands and options are those
# of --help.

_famfs_devices()
{
	local node

	for node in /dev/dax*; do
		[ ! -c "$node" ] || echo "$node"
	done
}

_famfs_mounts()
{
	findmnt -rno TARGET -t fuse.famfs 2> /dev/null
}

# _famfs_arguments COMMAND WORD: what may stand there.
_famfs_arguments()
{
	case $1 in
	mkfs|fsck|dump|bind|unbind)
		_famfs_devices ;;
	umount)
		_famfs_mounts ;;
	status|hosts|compact|restart)
		_famfs_devices
		_famfs_mounts ;;
	mount)
		_famfs_devices
		compgen -d -- "$2" ;;
	map|flush)
		compgen -f -- "$2" ;;
	esac
}

_famfs()
{
	local word=${COMP_WORDS[COMP_CWORD]} name=${COMP_WORDS[0]} command words

	command=${name##*/}
	command=${command%.famfs}
	command=${command%.fuse}
	if [ "$command" != famfs ]; then
		words=$("$name" --help 2> /dev/null | grep -oE -- '--[a-z][a-z-]*')
	elif [ "$COMP_CWORD" = 1 ]; then
		command=
		words=$("$name" --help 2> /dev/null | sed -nE 's/^  ([a-z]+) .*/\1/p'
			echo --help)
	else
		command=${COMP_WORDS[1]}
		words=$("$name" "$command" --help 2> /dev/null |
			grep -oE -- '--[a-z][a-z-]*')
	fi
	[ -z "$command" ] || [[ $word == -* ]] ||
		words=$(_famfs_arguments "$command" "$word")
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word" | sort -u)
	# Slashes behind directories; only where a user types.
	[[ $command != mount && $command != map && $command != flush ]] ||
		compopt -o filenames 2> /dev/null || :
}

complete -F _famfs famfs mkfs.famfs fsck.famfs mount.famfs umount.fuse.famfs
