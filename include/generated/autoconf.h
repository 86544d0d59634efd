/*
 * Automatically generated file; DO NOT EDIT.
 * famfs for FUSE
 */
#define CONFIG_FAMFS_ACCEL ""
#define CONFIG_POSTER ""
#define CONFIG_RUNS 5
#define CONFIG_FUZZ_MESSAGES 150000
#define CONFIG_T "."
#define CONFIG_DESTDIR ""
#define CONFIG_MANNER ""
#define CONFIG_KERNEL_SRC ""
#define CONFIG_FAMFS_SECONDS ""
#define CONFIG_FAMFS_EVERY ""
#define CONFIG_TIMES 10000
#define CONFIG_TRANSPORT ""
#define CONFIG_VARIANT "default"
#define CONFIG_LOCALVERSION "-famfs"
#define CONFIG_FAMFS_FIXTURES "../shared/fixtures/famfs-media"
#define CONFIG_FUZZ_SECONDS 60
#define CONFIG_CONFIG ""
#define CONFIG_FAMFS_SHELL_START ""
#define CONFIG_DEB_VERSION "0.300"
#define CONFIG_FAMFS_HISTORIES ""
#define CONFIG_PREFIX "/usr"
#define CONFIG_COUNT 10000
#define CONFIG_FAMFS_FAILURES ""
#define CONFIG_BACKEND "hmem"
#define CONFIG_FAMFS_SCRIPT ""
#define CONFIG_ROUNDS 5
#define CONFIG_JOBS 2
#define CONFIG_FAMFS_CACHE "/root/.cache/famfs"
#define CONFIG_FAMFS_SEED ""
