#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The static gates: everything that can be said about the series and the
# scripts without booting a kernel.
#
# Usage: scripts/check/run.sh [GATE...]
#        scripts/check/run.sh --list
#
# Each gate is a script in scripts/check/. A gate whose tool is missing is
# SKIPPED, and the check fails then too: a gate that did not run proves nothing.
# FULL=1 builds every patch in every configuration, and for other machines.
# Logs are in build/check/.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches FULL

# In the order of what they cost, so that a slip shows early.
GATES=(spdx private shellcheck spelling size promises switches series checkpatch
       libfuse-checkpatch maintainers libfuse-header libfuse-abi libfuse-m32
       kernel-doc machinery uapi kconfig libfuse-patches sparse warnings configs
       exports patches)
[ -z "$FULL" ] || GATES+=(machines)

# gate_about NAME: the first sentence of what the gate says of itself.
gate_about()
{
	sed -n '4s/^# //p' "$TOP/scripts/check/$1.sh"
}

# What tells about a failure, not the whole of a long log, and not what make
# says on its way out.
excerpt()
{
	local text

	text=$(grep -vE '^make(\[[0-9]+\])?: ' "$1" || true)
	head -n 60 <<< "$text" | sed 's/^/    /'
	[ "$(wc -l <<< "$text")" -le 60 ] || echo "    The whole log: ${1#"$TOP/"}"
}

run_gate()
{
	local name=$1 log=$BUILD/check/$1.log start status=0 took

	start=$(date +%s)
	# Descriptor 3 is for progress, past the log.
	"$TOP/scripts/check/$name.sh" 3>&2 > "$log" 2>&1 || status=$?
	took="($(($(date +%s) - start)) s)"
	case $status in
	0)
		PASSED=$((PASSED + 1))
		printf 'PASS    %-18s %s %s\n' "$name" "$(gate_about "$name")" "$took" ;;
	77)
		SKIPPED=$((SKIPPED + 1))
		printf 'SKIPPED %-18s %s\n' "$name" "$(tail -n 1 "$log")" ;;
	*)
		FAILED=$((FAILED + 1))
		printf 'FAIL    %-18s %s %s\n' "$name" "$(gate_about "$name")" "$took"
		excerpt "$log" ;;
	esac
}

if [ "${1:-}" = --list ]; then
	for gate in "${GATES[@]}"; do
		printf '%-18s %s\n' "$gate" "$(gate_about "$gate")"
	done
	exit 0
fi
[ $# -eq 0 ] || GATES=("$@")
for gate in "${GATES[@]}"; do
	[ -x "$TOP/scripts/check/$gate.sh" ] || die "there is no gate $gate" \
		"scripts/check/run.sh --list names them."
done

lock check
mkdir -p "$BUILD/check"
# Without them gates are skipped, and say what they miss.
"$TOP/scripts/env/packages.sh" || warn "packages are missing"
"$TOP/scripts/series/base.sh" linux
PASSED=0 FAILED=0 SKIPPED=0
for gate in "${GATES[@]}"; do
	run_gate "$gate"
done

[ $SKIPPED -eq 0 ] || warn "skipped gates prove nothing: the check fails"
printf '%d passed, %d failed' $PASSED $FAILED
[ $SKIPPED -eq 0 ] || printf ', %d skipped' $SKIPPED
printf '\n'
[ $((FAILED + SKIPPED)) -eq 0 ]
