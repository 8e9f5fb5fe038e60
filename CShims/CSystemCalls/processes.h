/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes: what happens between fork(2) and execve(2), where a child of a process with
   threads may make only calls that are safe in a signal handler (signal-safety(7)); and what a
   descriptor of a process is for. */
#ifndef SLUICE_CSYSTEM_PROCESSES_H
#define SLUICE_CSYSTEM_PROCESSES_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program to be started. */
struct csystem_launch {
    const char *program;
    char *const *arguments;
    char *const *environment;
    /* Where the child writes its number, in at most 11 characters; may be null. */
    char *own_number;
    /* What the child gets as descriptors 3, 4 and so on. The child changes its copy of them. */
    int *files;
    int file_count;
    int ends_with_parent;
    int has_own_group;
};

/* The variables of this process, ended by null; null where there are none, as after clearenv(3). */
static inline char **csystem_environment(void) {
    extern char **environ;
    return environ;
}

/* sd_listen_fds(3), SD_LISTEN_FDS_START. */
static const int csystem_first_passed = 3;

/* Writes a number that is not negative. */
static inline void csystem_write_number(char *place, long number) {
    char digits[20];
    int count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0) *place++ = digits[--count];
    *place = 0;
}

/* Has a descriptor closed on exec where a name in /proc/self/fd is its number; others are `.` and
   `..`. */
static inline void csystem_close_named(const char *name, int first) {
    int number = 0;
    for (; *name >= '0' && *name <= '9'; name++) number = number * 10 + (*name - '0');
    if (*name == 0 && number >= first) fcntl(number, F_SETFD, FD_CLOEXEC);
}

/* Has those closed on exec that /proc tells, from a number on: as many calls as are open, whatever
   the limit is. opendir(3) may allocate, and getdents64(2) does not: in what that gives, an entry's
   length stands behind 16 bytes, and its name behind 19. Returns 0 where /proc does not tell. */
static inline int csystem_close_listed_from(int first) {
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return 0;
    char entries[4096];
    long count;
    while ((count = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
        uint16_t length;
        for (long place = 0; place < count; place += length) {
            memcpy(&length, entries + place + 16, sizeof length);
            csystem_close_named(entries + place + 19, first);
        }
    }
    close(folder);
    return count == 0;
}

/* Has all descriptors from a number on closed on exec. close_range(2), since Linux 5.11 with this
   flag, CLOSE_RANGE_CLOEXEC. Where neither it nor /proc is there, the first 65,536 one by one: a
   limit of 2^30 would take minutes, and this library's own are all closed on exec anyway. */
static inline void csystem_close_from(int first) {
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 4u) == 0) return;
    if (csystem_close_listed_from(first)) return;
    for (int number = first; number < 65536; number++) fcntl(number, F_SETFD, FD_CLOEXEC);
}

/* Puts the files in their places: first all of them out of the way of these places. The descriptor
   that failures are reported to moves, too. Returns 0 where that has failed. */
static inline int csystem_place_files(const struct csystem_launch *launch, int *report) {
    int end = csystem_first_passed + launch->file_count;
    int moved = fcntl(*report, F_DUPFD_CLOEXEC, end);
    if (moved < 0) return 0;
    *report = moved;
    for (int place = 0; place < launch->file_count; place++) {
        launch->files[place] = fcntl(launch->files[place], F_DUPFD_CLOEXEC, end);
        if (launch->files[place] < 0) return 0;
    }
    for (int place = 0; place < launch->file_count; place++)
        /* Not closed on exec: dup2(2). */
        if (dup2(launch->files[place], csystem_first_passed + place) < 0) return 0;
    csystem_close_from(end);
    return 1;
}

/* The child becomes the program; where it can't, errno goes to `report`. Every signal is blocked
   until no handler of the parent's is left: one that ran here would act on what both share. */
static inline void csystem_become(const struct csystem_launch *launch, pid_t parent, int report) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    /* Fails for those that have no action: SIGKILL, SIGSTOP, and two of the thread library's. */
    for (int number = 1; number <= 64; number++) sigaction(number, &standard, 0);
    if (launch->has_own_group) setpgid(0, 0);
    if (launch->ends_with_parent) {
        prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0, 0, 0);
        /* It may have ended before it could be told. */
        if (getppid() != parent) _exit(127);
    }
    if (csystem_place_files(launch, &report)) {
        if (launch->own_number) csystem_write_number(launch->own_number, getpid());
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, 0);
        execve(launch->program, launch->arguments, launch->environment);
    }
    int code = errno;
    /* Fits into the pipe at once. Without it the parent finds a child that has ended. */
    ssize_t count = write(report, &code, sizeof code);
    _exit(count < 0 ? 126 : 127);
}

/* Starts a program and waits until it runs; -1 and errno where it can't be run. */
static inline pid_t csystem_spawn(struct csystem_launch *launch) {
    int report[2];
    /* pipe2(2) is declared only for GNU programs. */
    if (syscall(SYS_pipe2, report, O_CLOEXEC) != 0) return -1;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t child = fork();
    int code = errno;
    if (child == 0) csystem_become(launch, parent, report[1]);
    close(report[1]);
    if (child > 0) {
        ssize_t count;
        do count = read(report[0], &code, sizeof code);
        while (count < 0 && errno == EINTR);
        if (count == (ssize_t)sizeof code) {
            while (waitpid(child, 0, 0) < 0 && errno == EINTR) {}
            child = -1;
        }
    }
    close(report[0]);
    pthread_sigmask(SIG_SETMASK, &before, 0);
    errno = code;
    return child;
}

/* A descriptor of a process, closed on exec and readable when the process has ended. pidfd_open(2),
   since Linux 5.3; older libraries have no functions for it. */
static inline int csystem_open_process(pid_t process) {
    return (int)syscall(SYS_pidfd_open, process, 0u);
}

/* pidfd_send_signal(2). */
static inline int csystem_signal_process(int descriptor, int number) {
    return (int)syscall(SYS_pidfd_send_signal, descriptor, number, (void *)0, 0u);
}

/* Takes the end of a child: 0 while it runs, unless `waits`; 1 where it has exited, with its status;
   2 where a signal has ended it, with its number; -1 where that can't be told. waitid(2), P_PIDFD,
   since Linux 5.4, a member of an enumeration that older libraries lack. */
static inline int csystem_process_end(int descriptor, int waits, int *value) {
    siginfo_t end = {0};
    int flags = WEXITED | (waits ? 0 : WNOHANG);
    while (waitid((idtype_t)3, (id_t)descriptor, &end, flags) != 0)
        if (errno != EINTR) return -1;
    if (end.si_pid == 0) return 0;
    *value = end.si_status;
    return end.si_code == CLD_EXITED ? 1 : 2;
}

#endif
