/* capability.h - the capabilities that loading takes, given up afterwards. */
#ifndef TAGALONG_EBPF_CAPABILITY_H
#define TAGALONG_EBPF_CAPABILITY_H

/* 1 if this thread may load programs that trace: CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN. */
int capability_to_load(void);

/* Stops using these three, but could take them up again. 0, or -errno. */
int capability_lower(void);

/*
 * Drops these three from this thread. With keep_bpf CAP_BPF stays: before Linux 5.19 maps can't
 * even be read without it where unprivileged use is off. 0, or -errno.
 */
int capability_drop(int keep_bpf);

#endif
