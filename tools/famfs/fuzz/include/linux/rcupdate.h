/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_RCUPDATE_H
#define _FAMFS_SHIM_RCUPDATE_H

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

#endif
