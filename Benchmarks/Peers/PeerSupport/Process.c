// SPDX-License-Identifier: Apache-2.0
// The command line of a peer, and the process around it: limits, signals, the way it fails.
// Whoever runs the peers depends on the exit statuses here.

#include "PeerSupport.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

static _Noreturn void wrong_usage(const char *program, enum peer_extra extra) {
    static const char *const extras[] = {
        [PEER_NO_EXTRA] = "",
        [PEER_STYLES] = " [--style pipeline|async]",
        [PEER_DATAGRAMS] = " [--udp]",
    };
    fprintf(stderr, "usage: %s echo|chargen [--port P]%s\n", program, extras[extra]);
    exit(EX_USAGE);
}

static bool parse_service(const char *text, enum peer_service *service) {
    if (strcmp(text, "echo") == 0) {
        *service = PEER_ECHO;
    } else if (strcmp(text, "chargen") == 0) {
        *service = PEER_CHARGEN;
    } else {
        return false;
    }
    return true;
}

static bool parse_style(const char *text, enum peer_style *style) {
    if (strcmp(text, "pipeline") == 0) {
        *style = PEER_PIPELINE;
    } else if (strcmp(text, "async") == 0) {
        *style = PEER_ASYNC;
    } else {
        return false;
    }
    return true;
}

static bool parse_port(const char *text, uint16_t *port) {
    // strtoul would also take spaces and signs.
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text)) return false;
    errno = 0;
    unsigned long number = strtoul(text, NULL, 10);
    if (errno != 0 || number > UINT16_MAX) return false;
    *port = (uint16_t)number;
    return true;
}

static bool parse_value(const char *name, const char *value, enum peer_extra extra,
                        struct peer_options *options) {
    if (strcmp(name, "--port") == 0) return parse_port(value, &options->port);
    if (extra == PEER_STYLES && strcmp(name, "--style") == 0) {
        return parse_style(value, &options->style);
    }
    return false;
}

static struct peer_options parse(int argc, char *const argv[], enum peer_extra extra) {
    struct peer_options options = {.style = PEER_PIPELINE};
    bool is_right = argc >= 2 && parse_service(argv[1], &options.service);
    for (int index = 2; is_right && index < argc; index++) {
        const char *name = argv[index];
        if (extra == PEER_DATAGRAMS && strcmp(name, "--udp") == 0) {
            is_right = options.service == PEER_ECHO;
            options.has_datagrams = true;
        } else {
            index++;
            is_right = index < argc && parse_value(name, argv[index], extra, &options);
        }
    }
    if (!is_right) wrong_usage(argc > 0 ? argv[0] : "peer", extra);
    return options;
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) peer_fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) peer_fail("setrlimit");
}

static void end_well(int signal_number) {
    (void)signal_number;
    // Not exit(3), which a signal handler may not call. Source: signal-safety(7).
    _exit(EXIT_SUCCESS);
}

static void set_signals(void) {
    struct sigaction ending = {.sa_handler = end_well};
    struct sigaction ignoring = {.sa_handler = SIG_IGN};
    if (sigaction(SIGTERM, &ending, NULL) != 0 || sigaction(SIGINT, &ending, NULL) != 0
        || sigaction(SIGPIPE, &ignoring, NULL) != 0) {
        peer_fail("sigaction");
    }
}

struct peer_options peer_start(int argc, char *const argv[], enum peer_extra extra) {
    struct peer_options options = parse(argc, argv, extra);
    raise_descriptor_limit();
    set_signals();
    return options;
}

void peer_fail(const char *call) {
    perror(call);
    exit(EXIT_FAILURE);
}
