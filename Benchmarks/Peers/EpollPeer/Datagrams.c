// SPDX-License-Identifier: Apache-2.0
// Echo of datagrams on epoll: a batch comes by one call and leaves by one, from where it lies.
// What the kernel does not take at once is dropped and counted: UDP promises no delivery.

// For recvmmsg(2) and sendmmsg(2).
#define _GNU_SOURCE

#include "EpollPeer.h"
#include "PeerSupport.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

enum {
    BATCH_SIZE = 32,
    /// A longer datagram comes back cut to this.
    BUFFER_SIZE = 2048,
    /// At distances of a power of two all would fall into the same few places of the cache.
    BUFFER_DISTANCE = BUFFER_SIZE + 320,
    /// The batches of one turn, so that a flood does not hide the signal that ends the process.
    BATCH_LIMIT = 16,
    /// What may wait in the kernel, which doubles this and counts its own memory, too: two
    /// thousand small datagrams or more. Its usual size holds fewer than 300. Source: socket(7).
    QUEUE_SIZE = 1024 * 1024,
};

static struct {
    struct mmsghdr messages[BATCH_SIZE];
    struct iovec parts[BATCH_SIZE];
    struct sockaddr_in senders[BATCH_SIZE];
    char bytes[BATCH_SIZE][BUFFER_DISTANCE];
} batch;

static uint64_t dropped_count;

static int open_socket(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) peer_fail("socket");
    int size = QUEUE_SIZE;
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0) {
        peer_fail("setsockopt SO_RCVBUF");
    }
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0) peer_fail("bind");
    return descriptor;
}

/// A descriptor that is readable when the process shall end: no handler could tell the count.
static int open_ending(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) peer_fail("sigprocmask");
    int descriptor = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (descriptor < 0) peer_fail("signalfd");
    return descriptor;
}

static void prepare_batch(void) {
    for (int index = 0; index < BATCH_SIZE; index++) {
        batch.parts[index].iov_base = batch.bytes[index];
        batch.messages[index].msg_hdr = (struct msghdr){
            .msg_name = &batch.senders[index],
            // The kernel writes the same back: this socket has senders of one family only.
            .msg_namelen = sizeof batch.senders[index],
            .msg_iov = &batch.parts[index],
            .msg_iovlen = 1,
        };
    }
}

/// Takes what has come, at most a batch, and says how many datagrams these are.
static unsigned receive_batch(int descriptor) {
    for (int index = 0; index < BATCH_SIZE; index++) batch.parts[index].iov_len = BUFFER_SIZE;
    int count = recvmmsg(descriptor, batch.messages, BATCH_SIZE, MSG_DONTWAIT, NULL);
    if (count >= 0) return (unsigned)count;
    if (!peer_must_wait()) peer_fail("recvmmsg");
    return 0;
}

static void send_batch(int descriptor, unsigned count) {
    for (unsigned index = 0; index < count; index++) {
        batch.parts[index].iov_len = batch.messages[index].msg_len;
    }
    for (unsigned done = 0; done < count;) {
        int sent = sendmmsg(descriptor, batch.messages + done, count - done, MSG_DONTWAIT);
        if (sent >= 0) {
            done += (unsigned)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            dropped_count += count - done;
            return;
        } else if (errno != EINTR) {
            // An error is that of the first of the rest, and says nothing about the others.
            dropped_count++;
            done++;
        }
    }
}

static void echo(int descriptor) {
    for (int turn = 0; turn < BATCH_LIMIT; turn++) {
        unsigned count = receive_batch(descriptor);
        send_batch(descriptor, count);
        // A short batch has emptied the queue: asking once more would mostly be in vain.
        if (count < BATCH_SIZE) return;
    }
}

static _Noreturn void end(void) {
    if (dropped_count > 0) fprintf(stderr, "dropped %" PRIu64 " datagrams\n", dropped_count);
    exit(EXIT_SUCCESS);
}

static void watch_readable(int poller, int descriptor) {
    if (!watch(poller, EPOLL_CTL_ADD, descriptor, EPOLLIN, descriptor_token(descriptor))) {
        peer_fail("epoll_ctl");
    }
}

void serve_datagrams(uint16_t port) {
    int descriptor = open_socket(port), ending = open_ending();
    int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) peer_fail("epoll_create1");
    watch_readable(poller, descriptor);
    watch_readable(poller, ending);
    prepare_batch();
    peer_announce(peer_port(descriptor));
    for (;;) {
        struct epoll_event events[2];
        int count = epoll_wait(poller, events, 2, -1);
        if (count < 0 && errno != EINTR) peer_fail("epoll_wait");
        for (int index = 0; index < count; index++) {
            if (token_descriptor(events[index].data.u64) == ending) end();
            echo(descriptor);
        }
    }
}
