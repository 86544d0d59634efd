/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction by which a program tells the plugin in counter.c that counting
 * begins or ends: one that does nothing, with an offset that nobody uses.
 */
#ifndef FAMFS_BENCH_MARK_H
#define FAMFS_BENCH_MARK_H

/* nopl 0x666d6166(%rax) */
#define MARK_BYTES	0x0f, 0x1f, 0x80, 0x66, 0x61, 0x6d, 0x66

static inline void mark(void)
{
	asm volatile(".byte 0x0f, 0x1f, 0x80; .ascii \"famf\"" ::: "memory");
}

#endif /* FAMFS_BENCH_MARK_H */
