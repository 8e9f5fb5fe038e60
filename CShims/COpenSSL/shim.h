/* SPDX-License-Identifier: Apache-2.0 */
/* The part of OpenSSL that Sluice calls: message digests. */
#ifndef SLUICE_COPENSSL_H
#define SLUICE_COPENSSL_H

#include <openssl/evp.h>

#endif
