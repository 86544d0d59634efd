# SPDX-License-Identifier: GPL-2.0
#
# The one entry point. Each target is one script; see there for its variables.

.DEFAULT_GOAL := help

help:
	@echo 'make demo     from nothing to files on a dax device, read, written and mapped'
	@echo 'make demo-hosts  guests that share one memory: an owner and members (trial)'
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

demo demo-hosts test check bench figures cost shell:
	@scripts/$@.sh

tools:
	@scripts/userspace.sh famfs_build

install:
	@scripts/userspace.sh install

deb:
	@scripts/deb.sh

kernel-deb:
	@scripts/kernel-deb.sh $(OPTIONS)

series:
	@scripts/packages.sh
	@scripts/base.sh linux
	@scripts/base.sh libfuse
	@scripts/series.sh linux
	@scripts/series.sh libfuse

tree:
	@scripts/apply.sh linux

refresh:
	@scripts/refresh.sh linux $(P)

kunit:
	@scripts/kunit.sh $(T)

clean:
	rm -rf build

.PHONY: help demo demo-hosts test check bench figures cost series tools install deb shell tree \
	kernel-deb refresh kunit clean
