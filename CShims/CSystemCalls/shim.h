/* SPDX-License-Identifier: Apache-2.0 */
/* What Swift's Glibc module lacks: headers it leaves out, and macros it can't import. */
#ifndef SLUICE_CSYSTEM_H
#define SLUICE_CSYSTEM_H

#include "options.h"

#include <errno.h>
#include <time.h>
/* It needs the line above. */
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* Behind the others: the compiler takes what is declared first for a part of that module. */
#include "processes.h"

/* FIONREAD's number is a macro with a cast. */
static inline int csystem_unread(int descriptor, int *count) {
    return ioctl(descriptor, FIONREAD, count);
}

/* Declared by the headers only for GNU programs. */
int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);

/* As is this structure, with the two calls that take it. recvmmsg(2), sendmmsg(2). */
#ifndef __USE_GNU
struct mmsghdr {
    struct msghdr msg_hdr;
    unsigned int msg_len;
};
int recvmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags,
             struct timespec *timeout);
int sendmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags);
#endif

static const int csystem_rights = 1; /* SCM_RIGHTS, a member of an enumeration. */
static const int csystem_credentials = 2; /* SCM_CREDENTIALS, which is for GNU programs only. */

/* The same holds for these numbers: POLLRDHUP, EAI_NODATA, EAI_ADDRFAMILY. */
static const short csystem_poll_peer_closed = 0x2000;
static const int csystem_name_has_no_data = -5;
static const int csystem_name_has_no_such_family = -9;

/* accept(2)'s flags are members of an enumeration. */
static inline int csystem_accept(int descriptor, struct sockaddr *address, socklen_t *length) {
    return accept4(descriptor, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* MSG_* are members of an enumeration. */
static inline ssize_t csystem_send(int descriptor, const void *bytes, size_t count, int flags) {
    return send(descriptor, bytes, count, flags | MSG_NOSIGNAL);
}

static inline ssize_t csystem_send_vector(int descriptor, struct iovec *vector, size_t count) {
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
    return sendmsg(descriptor, &message, MSG_NOSIGNAL);
}

/* A descriptor that is passed is closed on exec from the start: a member of an enumeration. */
static const int csystem_close_passed_on_exec = MSG_CMSG_CLOEXEC;

static inline ssize_t csystem_send_message(int descriptor, const struct msghdr *message,
                                           int flags) {
    return sendmsg(descriptor, message, flags | MSG_NOSIGNAL);
}

static inline int csystem_receive_messages(int descriptor, struct mmsghdr *messages,
                                           unsigned int count, int flags) {
    return recvmmsg(descriptor, messages, count, flags, 0);
}

static inline int csystem_send_messages(int descriptor, struct mmsghdr *messages,
                                        unsigned int count) {
    return sendmmsg(descriptor, messages, count, MSG_NOSIGNAL);
}

/* sendfile(2) has no MSG_NOSIGNAL: SIGPIPE is held back, and one that the call raised is taken. */
static inline ssize_t csystem_send_file(int socket, int file, off_t *offset, size_t count) {
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    ssize_t result = sendfile(socket, file, offset, count);
    int code = errno;
    /* A call that has sent some bytes before it met the end raises the signal as well. */
    int was_pending = sigismember(&pending, SIGPIPE);
    sigpending(&pending);
    if (!was_pending && sigismember(&pending, SIGPIPE)) {
        struct timespec none = {0, 0};
        while (sigtimedwait(&pipe, 0, &none) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &before, 0);
    errno = code;
    return result;
}

/* clock_gettime(2) cannot fail for CLOCK_MONOTONIC; 2^64 ns are 584 years. */
static inline uint64_t csystem_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Arms a timer descriptor for an instant of CLOCK_MONOTONIC. */
static inline int csystem_arm_timer(int descriptor, uint64_t nanoseconds) {
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000u),
                     .tv_nsec = (long)(nanoseconds % 1000000000u)}};
    return timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &when, 0);
}

/* Has the processor fetch memory that is used soon: a hint, harmless with any address. */
static inline void csystem_fetch(const void *address, int size) {
    for (int offset = 0; offset < size; offset += 64)
        __builtin_prefetch((const char *)address + offset, 1, 3);
}

/* The cores that this thread may run on, a bit each; the types for it are declared only for GNU
   programs. sched_getaffinity(2). */
typedef struct {
    unsigned long words[1024 / (8 * sizeof(unsigned long))];
} csystem_cores;

static inline int csystem_has_core(const csystem_cores *cores, int core) {
    int width = (int)(8 * sizeof(unsigned long));
    return (int)(cores->words[core / width] >> (core % width) & 1);
}

static inline int csystem_allowed_cores(csystem_cores *cores) {
    *cores = (csystem_cores){{0}};
    syscall(SYS_sched_getaffinity, 0, sizeof *cores, cores);
    int count = 0;
    for (int core = 0; core < 1024; core++) count += csystem_has_core(cores, core);
    return count;
}

/* At least 1. */
static inline int csystem_core_count(void) {
    csystem_cores cores;
    int count = csystem_allowed_cores(&cores);
    return count > 0 ? count : 1;
}

/* Names this thread, in at most 15 characters. pthread_setname_np(3) is declared only for GNU
   programs. */
static inline void csystem_name_thread(const char *name) {
    prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0);
}

/* Keeps this thread on one of the cores that it may run on; the numbers go round. */
static inline void csystem_pin(int number) {
    csystem_cores cores, one = {{0}};
    int count = csystem_allowed_cores(&cores);
    if (count == 0) return;
    int left = number % count;
    for (int core = 0; core < 1024; core++) {
        if (!csystem_has_core(&cores, core) || left-- > 0) continue;
        int width = (int)(8 * sizeof(unsigned long));
        one.words[core / width] = 1ul << (core % width);
        syscall(SYS_sched_setaffinity, 0, sizeof one, &one);
        return;
    }
}

#endif
