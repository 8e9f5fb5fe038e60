// SPDX-License-Identifier: Apache-2.0
//
// All tests of the command: one after the other, since many of them start processes and count
// descriptors.

import TestSupport
import Testing

/// The tests of the command and of its load engine.
@Suite(.serialized, .countingDescriptors, .timeLimit(.minutes(1)))
struct CommandSuite {}
