#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boots a kernel in QEMU and runs a command in the guest as root.
#
# Usage: scripts/guest/boot.sh [OPTION]... -- COMMAND...
#   -b BACKEND  what offers the DAX devices: hmem (default), hmem-multi,
#               hmem-large, pmem, nvdimm, cxl, fsdax, bench or none;
#               scripts/guest/backend-*.sh say what each gives
#   -c CONFIG   which kernel: default, debug or bench, or another of kernel/build.sh
#   -m MODE     root (default): the host's files, read-only beneath a tmpfs, so
#               that its tools work; initramfs: busybox and shared folders only
#   -t SECONDS  time that COMMAND may take (default 300)
#   -s DIR      makes DIR visible at the same path, read-only; may be repeated.
#               The checkout always is.
#   -w DIR      the same, writable: what the guest writes there stays
#   -d FILE     memory of the first nvdimm, kept after the run; two guests may
#               share it
#   -k ARGS     more arguments for the kernel
#   -o OUTDIR   where console.log, output and verdict go (default build/guest)
#   -i          interactive: COMMAND gets the terminal
#   -n          one emulated CPU whose clocks count instructions: one a
#               nanosecond
#   -p PLUGIN   a plugin of QEMU, with its arguments, which sees what an emulated
#               CPU does
#
# COMMAND starts in the folder this script was called from, with
# FAMFS_DAXDEVS="/dev/daxX.Y ..." bound to fsdev_dax. Exit status: that of
# COMMAND, or
#   70 QEMU did not start      73 COMMAND took too long
#   71 no boot to COMMAND      74 kernel panic
#   72 backend not set up      75 warnings in the kernel log

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches FAMFS_ACCEL

backend=hmem
config=default
mode=root
limit=300
out=$BUILD/guest
device_file=
kernel_args=
interactive=
counting=
plugin=()
shares=("ro $TOP")
command_line=("$@")
while getopts b:c:m:t:s:w:d:k:o:inp: opt; do
	case $opt in
	b) backend=$OPTARG ;;
	c) config=$OPTARG ;;
	m) mode=$OPTARG ;;
	t) limit=$OPTARG ;;
	s) shares+=("ro $(realpath -e "$OPTARG")") ;;
	w) mkdir -p "$OPTARG"; shares+=("rw $(realpath -e "$OPTARG")") ;;
	d) device_file=$OPTARG ;;
	k) kernel_args+=" $OPTARG" ;;
	o) out=$OPTARG ;;
	i) interactive=1 ;;
	n) counting=1 ;;
	p) plugin=(-plugin "$OPTARG") ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
[[ $mode == root || $mode == initramfs ]] || usage
kernel=$FAMFS_CACHE/o/$config/arch/x86/boot/bzImage
[ -e "$kernel" ] || die "no kernel $config" "Run scripts/kernel/build.sh $config"
mkdir -p "$out"
out=$(realpath "$out")
rm -f "$out"/{console.log,output,verdict,qemu.log}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# verdict STATUS TEXT: ends the run, in words.
verdict()
{
	say "guest: $2"
	exit "$1"
}

# ---- machine and backend ---------------------------------------------------

# /dev/kvm alone says little: it may be out of reach, or serve only special
# guests, as on a cloud machine whose processor shows no virtualisation. So
# the processor must show it, and a few instructions must run.
kvm_works()
{
	local rom=$work/probe.bin status=0

	[ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo || return 1
	# At the reset vector: mov $16,%al; out %al,$0xf4. QEMU then exits
	# with 16 * 2 + 1.
	{
		head -c 65520 /dev/zero
		printf '\xb0\x10\xe6\xf4\xeb\xfe'
		head -c 10 /dev/zero
	} > "$rom"
	timeout 5 qemu-system-x86_64 -accel kvm -machine pc -nodefaults \
		-display none -bios "$rom" \
		-device isa-debug-exit,iobase=0xf4,iosize=1 \
		2>/dev/null || status=$?
	[ $status = 33 ]
}

accel=$FAMFS_ACCEL
cpus=2
[ -z "$counting" ] || accel=tcg cpus=1
if [ -z "$accel" ]; then
	accel=tcg
	! kvm_works || accel=kvm
fi
if [ "$accel" = kvm ]; then
	qemu=(-accel kvm -cpu host)
elif [ -n "$counting" ]; then
	qemu=(-accel "tcg,thread=single" -cpu max -icount shift=0)
else
	qemu=(-accel "tcg,thread=multi" -cpu max)
fi
qemu+=("${plugin[@]}")

machine=q35,smm=off
memory=4G
case $backend in
none)
	;;
hmem)
	# Gaps between the ranges, or the kernel joins them into one. In the
	# flags, the type goes from usable memory (1) to soft reserved
	# (0xefffffff).
	kernel_args+=" memmap=1G%4G-1+0xefffffff"
	kernel_args+=",512M%5184M-1+0xefffffff,256M%5760M-1+0xefffffff"
	;;
hmem-multi)
	kernel_args+=" memmap=1G%4G-1+0xefffffff dax_hmem.region_idle=1"
	;;
hmem-large)
	# Pages that nobody touches cost nothing, and the host need not have
	# them. 7 GiB are left, of which the device's page structures take one.
	machine+=,memory-backend=ram
	memory=72G
	qemu+=(-object "memory-backend-ram,id=ram,size=$memory,reserve=off")
	kernel_args+=" memmap=65G%4G-1+0xefffffff"
	;;
pmem)
	kernel_args+=" memmap=1G!4G,512M!5184M"
	;;
fsdax)
	kernel_args+=" memmap=512M!4G"
	;;
nvdimm)
	machine+=,nvdimm=on
	memory=2G,slots=4,maxmem=16G
	for i in 0 1; do
		file=$work/nvdimm$i
		[ $i = 1 ] || file=${device_file:-$file}
		qemu+=(-object "memory-backend-file,id=nv$i,share=on,mem-path=$file,size=1G,align=2M"
		       -device "nvdimm,id=nvdimm$i,memdev=nv$i")
	done
	;;
bench)
	# A dax device for a file of a million pages, one to be left raw, and
	# room for two file systems. Pages that nobody touches cost nothing.
	memory=12G
	kernel_args+=" memmap=5G%4G-1+0xefffffff,256M%9472M-1+0xefffffff"
	kernel_args+=",1G!10G,1G!11520M"
	;;
cxl)
	machine+=,cxl=on,cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size=4G
	memory=2G,slots=8,maxmem=8G
	# Without a serial number the region gets no namespace.
	qemu+=(-object "memory-backend-file,id=cxlmem,share=on,mem-path=$work/cxlmem,size=1G"
	       -object "memory-backend-file,id=cxllsa,share=on,mem-path=$work/cxllsa,size=1M"
	       -device "pxb-cxl,bus_nr=12,bus=pcie.0,id=cxl.1"
	       -device "cxl-rp,port=0,bus=cxl.1,id=rp0,chassis=0,slot=2"
	       -device "cxl-type3,bus=rp0,memdev=cxlmem,lsa=cxllsa,id=cxl-pmem0,sn=0x1234")
	;;
*)
	die "no backend '$backend'" "hmem, hmem-multi, hmem-large, pmem, nvdimm, cxl, fsdax, bench or none"
	;;
esac
qemu+=(-machine "$machine" -m "$memory" -smp "$cpus"
       -nodefaults -no-user-config -no-reboot -display none)

# ---- console, ports and folders --------------------------------------------

if [ -n "$interactive" ]; then
	qemu+=(-chardev "stdio,id=console,mux=on,signal=off,logfile=$out/console.log"
	       -mon chardev=console)
else
	qemu+=(-chardev "file,id=console,path=$out/console.log")
fi
# shellcheck disable=SC2054 # the commas are QEMU's
qemu+=(-serial chardev:console -device virtio-serial-pci,bus=pcie.0)
for port in verdict output; do
	: > "$out/$port"
	qemu+=(-chardev "file,id=$port,path=$out/$port"
	       -device "virtserialport,chardev=$port,name=$port")
done

n=0
share()
{
	local tag=$1 access=$2 path=$3 readonly=

	[ "$access" = rw ] || readonly=,readonly=on
	n=$((n + 1))
	# A comma in a path would end the option.
	# shellcheck disable=SC2054
	qemu+=(-fsdev "local,id=fs$n,path=${path//,/,,},security_model=none,multidevs=remap$readonly"
	       -device "virtio-9p-pci,bus=pcie.0,fsdev=fs$n,mount_tag=$tag")
}

# quote WORD...: for any POSIX shell, unlike bash's printf %q.
quote()
{
	local word

	for word in "$@"; do
		printf " '%s'" "${word//\'/\'\\\'\'}"
	done
}

guest=$work/initramfs/guest
mkdir -p "$guest"
: > "$guest/shares"
[ "$mode" = initramfs ] || share root ro /
for i in "${!shares[@]}"; do
	share "share$i" "${shares[i]%% *}" "${shares[i]#* }"
	echo "share$i ${shares[i]}" >> "$guest/shares"
done

# ---- initramfs -------------------------------------------------------------

cp "$TOP"/scripts/guest/*.sh "$guest/"
cp "$(command -v busybox)" "$guest/busybox"
mv "$guest/init.sh" "$work/initramfs/init"
{
	echo "mode=$mode backend=$backend limit=$limit"
	echo "interactive=$interactive"
	echo "export FAMFS_BACKEND=$backend FAMFS_CONFIG=$config"
	echo "export FAMFS_TOP=$(quote "$TOP" | cut -c2-)"
} > "$guest/settings"
{
	echo "cd $(quote "$PWD") 2>/dev/null || cd /"
	echo "exec $(quote "$@")"
} > "$guest/job"
(cd "$work/initramfs" && find . | cpio --quiet -o -H newc -R 0:0) \
	> "$work/initramfs.cpio"

# ---- run -------------------------------------------------------------------

# What hangs must end: lockups, hung tasks and stalls panic, and a panic ends
# QEMU. The thresholds allow for an emulated machine on a busy host.
append="console=ttyS0 panic=-1 oops=panic panic_on_warn=1"
append+=" softlockup_panic=1 watchdog_thresh=30"
append+=" hung_task_panic=1 sysctl.kernel.hung_task_timeout_secs=90"
append+=" rcupdate.rcu_cpu_stall_timeout=60 sysctl.kernel.panic_on_rcu_stall=1"
# KUnit suites run when a test asks for them, not at every boot.
append+=" kunit.autorun=0"
# Emulation: one level of page tables less to walk.
# An emulated timer is late on a busy machine, and the kernel takes it for dead.
[ "$accel" = kvm ] || append+=" no5lvl no_timer_check"
# A traced event that records the names of tasks has the scheduler's code patched,
# and an emulated processor has been seen to run into a breakpoint that was gone.
[ "$accel" = kvm ] || append+=" trace_options=norecord-cmd"
append+=$kernel_args

# Boot and backend are not the command's time.
hard_limit=$((limit + 300))
[ -z "$interactive" ] || hard_limit=0

say "guest: kernel $config, backend $backend, root $mode, $accel"
start=$(date +%s)
run=(timeout --foreground -k 5 "$hard_limit" qemu-system-x86_64 "${qemu[@]}"
     -kernel "$kernel" -initrd "$work/initramfs.cpio" -append "$append")
status=0
if [ -n "$interactive" ]; then
	"${run[@]}" || status=$?
else
	"${run[@]}" > "$out/qemu.log" 2>&1 < /dev/null &
	pid=$!
	tail -q -n +1 -s 0.2 -f --pid=$pid "$out/output" &
	# Both in the background: bash handles a signal only between commands
	# and in wait.
	trap 'exit 143' TERM
	trap 'kill $pid 2>/dev/null || true; rm -rf "$work"' EXIT
	wait $pid || status=$?
	wait $! || true
	trap 'rm -rf "$work"' EXIT
fi
took=$(($(date +%s) - start))

# ---- judge -----------------------------------------------------------------

# The value that the guest wrote last for a key.
said()
{
	sed -n "s/^$1 //p" "$out/verdict" | tail -n 1
}

# Lines by which the kernel reports a fault of its own. Lockdep, RCU, kmemleak
# and page allocation do not warn in a way that panic_on_warn sees.
suspicious()
{
	grep -nE '^\[ *[0-9]+\.[0-9]+\](\[ *[CT][0-9]+\])? *(.*\b(WARNING|BUG|Oops|KASAN|KFENCE|UBSAN):|.*(cut here|possible (recursive|circular|irq lock)|inconsistent lock state|suspicious RCU usage|detected stalls|self-detected stall|blocked for more than|soft lockup|general protection fault|[Uu]nable to handle|Bad page|refcount_t|kmemleak: [1-9]|Kernel panic|Call Trace))' \
		"$out/console.log"
}

if [ ! -s "$out/console.log" ]; then
	[ -n "$interactive" ] || cat "$out/qemu.log" >&2
	verdict 70 "QEMU did not start (status $status)"
fi
tr -d '\r' < "$out/console.log" > "$work/console.log"
cp "$work/console.log" "$out/console.log"

# An emulated CPU fails to boot once in some hundred times, in code that nothing
# here touches. So what dies before it gets to the command may boot once more,
# if its last words do not name what is tested.
boot_again()
{
	[ "$accel" = tcg ] && [ -z "${FAMFS_BOOTED_AGAIN:-}" ] || return 1
	! sed -n '/Kernel command line/d;/cut here\|BUG:\|Oops\|divide error\|int3:\|general protection/,$p' \
		"$out/console.log" | grep -qiE 'fuse|famfs|dax'
}

if grep -q 'Kernel panic' "$out/console.log"; then
	grep -vi 'command line' "$out/console.log" |
		sed -n '/cut here\|BUG:\|Oops\|sysrq:\|Kernel panic\|lockup\|blocked for/,$p' |
		sed -n 1,60p >&2
	status=74
	[ -n "$(said booted)" ] || status=71
	if [ $status = 71 ] && boot_again; then
		say "guest: the kernel panicked while booting; once more"
		mv "$out/console.log" "$out/console-first.log"
		rm -rf "$work"
		FAMFS_BOOTED_AGAIN=1 exec "$0" "${command_line[@]}"
	fi
	verdict $status "the kernel panicked after $took s; see $out/console.log"
fi
if [ -z "$(said booted)" ]; then
	tail -n 20 "$out/console.log" >&2
	verdict 71 "the kernel did not boot to the command in $took s; see $out/console.log"
fi
if [ -n "$(said backend-failed)" ]; then
	tail -n 20 "$out/console.log" >&2
	verdict 72 "backend $backend could not be set up: $(said backend-failed); see $out/console.log"
fi
if [ -n "$(said timeout)" ]; then
	sed -n '/sysrq: Show Blocked State/,$p' "$out/console.log" |
		sed -n 1,60p >&2
	verdict 73 "the command took more than $limit s; $out/console.log shows where tasks were blocked"
fi
if suspicious > "$out/warnings"; then
	head -n 40 "$out/warnings" >&2
	verdict 75 "the kernel log has warnings; see $out/console.log"
fi
rm "$out/warnings"
# What the log may have lost: bad page, oops, warning, soft lockup.
taint=$(said taint)
if [ $((${taint:-0} & (1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))) != 0 ]; then
	verdict 75 "the kernel is tainted ($taint); see $out/console.log"
fi
code=$(said exit)
if [ -z "$code" ]; then
	tail -n 20 "$out/console.log" >&2
	verdict 73 "the guest gave no verdict in $took s (QEMU status $status); see $out/console.log"
fi
verdict "$code" "command ended with $code after $took s (started $(said command) s after power-on)"
