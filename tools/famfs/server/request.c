// SPDX-License-Identifier: GPL-2.0
/*
 * The request that a thread is serving: its number, and whether it was done
 * before, by a server that has died before the kernel had the answer.
 *
 * Who changes something takes a mark for the request first, see done.h.
 */

#include <unistd.h>

#include "kept.h"
#include "mutant.h"
#include "server.h"

/**
 * struct request - of this thread
 * @done: where its mark is taken
 * @mark: its mark, or NULL
 * @logged: a server before has logged it
 */
static __thread struct request {
	struct done *done;
	struct done_mark *mark;
	uint64_t unique;
	bool logged;
} request;

void request_begin(struct server *server, uint64_t unique, bool resent)
{
	request = (struct request){ .unique = unique };
	if (!server->kept)
		return;
	request.done = &server->kept->done;
	/* Numbers are not used again while the file system is mounted. */
	if (resent)
		request.mark = done_find(request.done, unique);
	request.logged = WRONG(REQUEST_IS_DONE, request.mark != NULL);
}

void request_end(void)
{
	done_end(request.mark);
	request = (struct request){ .unique = 0 };
}

bool request_is_done(uint64_t *ino)
{
	if (request.logged && ino)
		*ino = request.mark->ino;
	return request.logged;
}

struct op request_op(void)
{
	struct op op = server_op();

	if (!request.done || !request.unique)
		return op;
	if (!request.mark)
		request.mark = done_begin(request.done, request.unique);
	if (!request.mark) {
		/* Unmarked it might be done twice: the next server has room. */
		fuse_log(FUSE_LOG_ERR, "famfs: too many requests that were begun and not answered\n");
		_exit(1);
	}
	op.unique = request.unique;
	op.mark = request.mark;
	return op;
}
