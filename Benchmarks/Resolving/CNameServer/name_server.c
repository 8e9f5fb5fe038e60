// SPDX-License-Identifier: Apache-2.0
//
// One thread, one socket, an answer for each question. In C, so that it takes as little as can be of
// the processor that is measured.

// For the affinity of threads.
#define _GNU_SOURCE

#include "name_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 12,
    /// Type and class behind a question's name.
    QUESTION_END_SIZE = 4,
    MESSAGE_SIZE = 512,
    ANSWER_SIZE = 28,
    TYPE_A = 1,
    TYPE_AAAA = 28,
};

static _Noreturn void fail(const char *call) {
    perror(call);
    exit(EXIT_FAILURE);
}

/// The end of the only question; 0 where there is none.
static size_t question_end(const uint8_t *message, size_t size) {
    size_t place = HEADER_SIZE;
    while (place < size && message[place] != 0) place += 1 + (size_t)message[place];
    place += 1 + QUESTION_END_SIZE;
    return place <= size ? place : 0;
}

/// Turns a question into its answer, in place: RFC 1035, 4.1.
///
/// Returns its size; 0 where there is nothing to answer. What stands behind the question is left out.
static size_t answer(uint8_t *message, size_t size) {
    // The name is the question's; type, class 1, and 60 s to live.
    static const uint8_t record[] = {0xC0, HEADER_SIZE, 0, 0, 0, 1, 0, 0, 0, 60};
    static const uint8_t four[] = {0, 4, 192, 0, 2, 1};
    static const uint8_t six[] = {0, 16, 0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0,
                                  0, 0,  0,    0,    0,    0,    1};
    size_t end = size < HEADER_SIZE ? 0 : question_end(message, size);
    if (end == 0) return 0;
    uint8_t type = message[end - QUESTION_END_SIZE + 1];
    bool is_known = type == TYPE_A || type == TYPE_AAAA;
    // An answer, without an error; recursion wanted and had; one question and its answer.
    const uint8_t rest[] = {0x81, 0x80, 0, 1, 0, is_known ? 1 : 0, 0, 0, 0, 0};
    memcpy(message + 2, rest, sizeof rest);
    if (!is_known) return end;
    memcpy(message + end, record, sizeof record);
    message[end + 3] = type;
    end += sizeof record;
    const uint8_t *data = type == TYPE_A ? four : six;
    size_t data_size = type == TYPE_A ? sizeof four : sizeof six;
    memcpy(message + end, data, data_size);
    return end + data_size;
}

static void leave_first_core(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t cores;
    CPU_ZERO(&cores);
    for (long core = 1; core < count && core < CPU_SETSIZE; core++) CPU_SET((size_t)core, &cores);
    // Where that may not be, it runs where the process does.
    if (count > 1) (void)sched_setaffinity(0, sizeof cores, &cores);
}

static void *serve(void *context) {
    int number = (int)(intptr_t)context;
    uint8_t message[MESSAGE_SIZE + ANSWER_SIZE];
    struct sockaddr_in sender;
    leave_first_core();
    for (;;) {
        socklen_t length = sizeof sender;
        ssize_t size =
            recvfrom(number, message, MESSAGE_SIZE, 0, (struct sockaddr *)&sender, &length);
        size_t end = size < 0 ? 0 : answer(message, (size_t)size);
        // What is lost is asked for again.
        if (end > 0) (void)sendto(number, message, end, 0, (struct sockaddr *)&sender, length);
    }
    return NULL;
}

uint16_t name_server_start(void) {
    int number = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (number < 0) fail("socket");
    if (bind(number, (struct sockaddr *)&address, length) != 0) fail("bind");
    if (getsockname(number, (struct sockaddr *)&address, &length) != 0) fail("getsockname");
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)number) != 0) {
        fail("pthread_create");
    }
    pthread_detach(thread);
    return ntohs(address.sin_port);
}
