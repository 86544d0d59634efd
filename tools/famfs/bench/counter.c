// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU that counts, between two marks in a program, the
 * instructions of each block of the kernel and those of all programs.
 *
 * Usage: qemu-system-x86_64 ... -plugin counter.so,out=FILE
 *
 * For each pair of marks FILE gets
 *
 *	span NUMBER
 *	user INSTRUCTIONS
 *	ADDRESS LENGTH TIMES		for each block of the kernel that ran
 *
 * One CPU, for nothing here is atomic.  Debian has QEMU's plugins but not their
 * header, so what is used of it is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

typedef uint64_t qemu_plugin_id_t;
struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

typedef void (*tb_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*insn_cb)(unsigned int cpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_cb cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op,
					      void *ptr, uint64_t n);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    insn_cb cb, int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

#define EXPORT		__attribute__((visibility("default")))
#define KERNEL		0xffff800000000000ULL
#define INLINE_ADD	0
#define NO_REGS		0
#define BUCKETS		(1 << 16)

/* Blocks of one address and length; another process may have them as well. */
struct block {
	struct block *next;
	uint64_t addr, len;
	uint64_t times, before;
};

EXPORT int qemu_plugin_version = 1;

static struct block *buckets[BUCKETS];
static FILE *out;
static bool counting;
static int spans;

static struct block *block_of(uint64_t addr, uint64_t len)
{
	struct block **at = &buckets[(addr * 0x9e3779b97f4a7c15ULL) >> 48];
	struct block *b;

	for (b = *at; b; b = b->next)
		if (b->addr == addr && b->len == len)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->addr = addr;
	b->len = len;
	b->next = *at;
	*at = b;
	return b;
}

static void begin(void)
{
	struct block *b;
	int i;

	for (i = 0; i < BUCKETS; i++)
		for (b = buckets[i]; b; b = b->next)
			b->before = b->times;
}

static void end(void)
{
	uint64_t user = 0, n;
	struct block *b;
	int i;

	fprintf(out, "span %d\n", spans++);
	for (i = 0; i < BUCKETS; i++) {
		for (b = buckets[i]; b; b = b->next) {
			n = b->times - b->before;
			if (b->addr < KERNEL)
				user += n * b->len;
			else if (n)
				fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
					b->addr, b->len, n);
		}
	}
	fprintf(out, "user %" PRIu64 "\n", user);
	fflush(out);
}

static void on_mark(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	if (counting)
		end();
	else
		begin();
	counting = !counting;
}

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	static const unsigned char mark[] = { MARK_BYTES };
	size_t i, n = qemu_plugin_tb_n_insns(tb);
	struct block *b = block_of(qemu_plugin_tb_vaddr(tb), n);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD, &b->times, 1);
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_size(insn) == sizeof(mark) &&
		    !memcmp(qemu_plugin_insn_data(insn), mark, sizeof(mark)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
							       NO_REGS, NULL);
	}
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
			       const struct qemu_info *info, int argc,
			       char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out = fopen(argv[0] + 4, "w");
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
	return 0;
}
