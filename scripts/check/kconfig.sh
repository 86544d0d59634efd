#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's Kconfig reads the same in Kconfig as the scripts do.

. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/build.sh"

need_series
build_config main "${MAIN[@]}"
out=$(mktemp -d "${TMPDIR:-/tmp}/kconfig.XXXXXX")
trap 'rm -rf "$out"' EXIT
mapfile -t names < <(sed -n 's/^config //p' "$TOP/Kconfig")

conf=$(build_out main)/scripts/kconfig/conf

# Without what the environment says of a switch.
unset "${names[@]}"
cd "$out" # where it leaves more than that
KCONFIG_CONFIG=$out/config "$conf" \
	--alldefconfig "$TOP/Kconfig" > "$out/log" 2>&1 ||
	{ cat "$out/log"; exit 1; }
! grep -iE 'warning|error' "$out/log" || exit 1

# as_written NAME: as Kconfig writes what the scripts take.
as_written()
{
	local value=${!1}

	case $(sed -n "/^config $1$/,/^\tdefault/s/^\t\(bool\|int\|string\) .*/\1/p" "$TOP/Kconfig") in
	string)	echo "CONFIG_$1=\"$value\"" ;;
	int)	echo "CONFIG_$1=$value" ;;
	bool)	[ -n "$value" ] && echo "CONFIG_$1=y" || echo "# CONFIG_$1 is not set" ;;
	esac
}

switches "${names[@]}"
diff <(grep CONFIG_ "$out/config" | sort) \
     <(for name in "${names[@]}"; do as_written "$name"; done | sort)
