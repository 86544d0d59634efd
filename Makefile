# SPDX-License-Identifier: GPL-2.0
#
# The one entry point. Each target is one script; Kconfig has their variables.

.DEFAULT_GOAL := help

help:
	@echo 'make demo     from nothing to files on a dax device, read, written and mapped'
	@echo 'make demo-hosts  guests that share one memory: an owner and members (trial)'
	@echo 'make load-hosts  the same under load: files that come and go all the time'
	@echo 'make test     KUnit, kselftests and user-space tests; T=PATTERN picks,'
	@echo '              BACKEND=hmem|hmem-multi|hmem-large|pmem|nvdimm|cxl, VARIANT=debug,'
	@echo '              TRANSPORT=fuse|clone|uring, FULL=1 choose'
	@echo 'make check    static gates over the series and the scripts; FULL=1: all of them'
	@echo 'make tools    mkfs.famfs, mount.famfs, fsck.famfs and famfs, in build/tools'
	@echo 'make install  installs them, with manual pages; DESTDIR= says where'
	@echo 'make deb      a Debian package of them, in build/deb'
	@echo 'make kernel-deb  Debian packages of a kernel with the series, on the running'
	@echo "              kernel's configuration or CONFIG=FILE; OPTIONS='OPTION=VALUE...'"
	@echo 'make series   build/series/linux/*/*.patch and build/series/libfuse/*.patch;'
	@echo "              POSTER='Name <address>' signs them"
	@echo 'make bench    instructions of reads, writes, faults and opens beside ext4 and xfs'
	@echo 'make figures  names and growing files beside ext4 with DAX'
	@echo 'make cost     instructions that FUSE servers without maps pay for the option'
	@echo 'make shell    an interactive guest with a famfs file system mounted'
	@echo 'make tree     applies the series to the kernel tree in the cache'
	@echo 'make refresh  P=NN takes edits of existing files there into patch NN'
	@echo 'make kunit    the KUnit tests alone, on this machine; T=SUITE[.TEST] picks'
	@echo 'make clean    removes build/; the cache outside the checkout stays'
	@echo
	@echo 'KERNEL_SRC=DIR|TARBALL  takes the base from there'
	@echo 'FAMFS_CACHE=DIR         keeps downloads and objects there'

demo test check bench:
	@scripts/$@/run.sh

figures cost:
	@scripts/bench/$@.sh

demo-hosts:
	@scripts/demo/hosts.sh

load-hosts:
	@scripts/demo/hosts.sh load

shell:
	@scripts/demo/shell.sh

tools:
	@scripts/tools/userspace.sh famfs_build

install:
	@scripts/tools/userspace.sh install

deb:
	@scripts/tools/deb.sh

kernel-deb:
	@scripts/kernel/deb.sh $(OPTIONS)

series:
	@scripts/env/packages.sh
	@scripts/series/base.sh linux
	@scripts/series/base.sh libfuse
	@scripts/series/make.sh linux
	@scripts/series/make.sh libfuse

tree:
	@scripts/series/apply.sh linux

refresh:
	@scripts/series/refresh.sh linux $(P)

kunit:
	@scripts/kernel/kunit.sh $(T)

clean:
	rm -rf build

.PHONY: help demo demo-hosts load-hosts test check bench figures cost series tools install deb shell tree \
	kernel-deb refresh kunit clean
