/* SPDX-License-Identifier: Apache-2.0 */
/* The options of sockets that Swift's Glibc module lacks, or that older headers lack. */
#ifndef SLUICE_CSYSTEM_OPTIONS_H
#define SLUICE_CSYSTEM_OPTIONS_H

#include <stdint.h>
#include <sys/types.h>

/* socket(7): numbers of asm-generic/socket.h, which x86-64 and arm64 share. */
static const int csystem_so_prefer_busy_poll = 69;
static const int csystem_so_busy_poll_budget = 70;
static const int csystem_so_netns_cookie = 71;
static const int csystem_so_receive_mark = 75;

/* ip(7), ipv6(7): linux/in.h and linux/in6.h can't stand beside netinet/in.h everywhere. */
static const int csystem_ip_local_port_range = 51;
static const int csystem_ipv6_flow_info = 11;
static const int csystem_ipv6_send_flow_info = 33;

/* udp(7), udplite(7): netinet/udp.h is not in Swift's Glibc. */
static const int csystem_udp_cork = 1;
static const int csystem_udp_no_check6_send = 101;
static const int csystem_udp_no_check6_receive = 102;
static const int csystem_udp_segment = 103;
static const int csystem_udp_gro = 104;
static const int csystem_udplite_send_coverage = 10;
static const int csystem_udplite_receive_coverage = 11;

/* raw(7), RFC 3542: linux/icmp.h, netinet/icmp6.h. */
static const int csystem_icmp_filter = 1;
static const int csystem_icmp6_filter = 1;

/* unix(7): declared by the headers only for GNU programs. */
struct csystem_credentials_of_peer {
    pid_t process;
    uid_t user;
    gid_t group;
};

/* socket(7): linux/filter.h, with which only programs that make filters need to be compiled. */
struct csystem_filter_step {
    uint16_t code;
    uint8_t skip_if_true;
    uint8_t skip_if_false;
    uint32_t operand;
};

struct csystem_filter {
    unsigned short count;
    const struct csystem_filter_step *steps;
};

#endif
