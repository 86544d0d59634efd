/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files that apply items.
 */
#ifndef FAMFS_APPLY_H
#define FAMFS_APPLY_H

#include "model.h"

/* Return: -EUCLEAN, with a finding that names record, item and inode. */
int apply_fail(const struct application *application, const struct item *item,
	       const char *text);

int name_apply(struct model *model, const struct application *application,
	       const struct item *item);
int unname_apply(struct model *model, const struct application *application,
		 const struct item *item);
int host_apply(struct model *model, const struct application *application,
	       const struct item *item);
int wait_apply(struct model *model, const struct application *application,
	       const struct item *item);

#endif
