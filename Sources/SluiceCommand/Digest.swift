// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 by libcrypto, one piece after the other.

import COpenSSL
import Sluice

/// A SHA-256 that grows with what it is given.
///
/// Source: FIPS 180-4, EVP_DigestInit(3).
struct Digest: ~Copyable {
    private let context: OpaquePointer

    /// The digest of nothing.
    ///
    /// - Throws: ``ErrorCode``: `.noMemory`; `.notSupported` where libcrypto refuses SHA-256.
    init() throws(ErrorCode) {
        guard let context = EVP_MD_CTX_new() else { throw .noMemory }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            EVP_MD_CTX_free(context)
            throw .notSupported
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Goes on with bytes.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        // Fails only for a digest that was not begun, and then there is no value.
        EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// The digest of what was added so far, as 64 hexadecimal digits; more may be added later.
    ///
    /// - Throws: ``ErrorCode``: `.noMemory`.
    borrowing func text() throws(ErrorCode) -> String {
        guard let copy = EVP_MD_CTX_new() else { throw .noMemory }
        defer { EVP_MD_CTX_free(copy) }
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        guard EVP_MD_CTX_copy_ex(copy, context) == 1, EVP_DigestFinal_ex(copy, &bytes, nil) == 1
        else { throw .noMemory }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// How many bytes a SHA-256 has.
    static let byteCount = 32
}
