// SPDX-License-Identifier: Apache-2.0
//
// How a resolver asks and remembers, and what it has done so far.

/// How long a resolver's questions may take, how many there may be, and what it remembers.
public struct ResolverOptions: Hashable, Sendable {
    /// How long each question may take, the time in which it waits for its turn included.
    ///
    /// One that says so itself has another limit; a client's has ``ClientOptions/timeout``.
    /// Initially 10 s.
    public var timeLimit = Duration.seconds(10)
    /// How many questions may wait for an answer; one more fails with `.tooManyQuestions`.
    ///
    /// Those that need no source, and those that the cache answers, are not counted. Initially
    /// 16,384.
    public var questionLimit = 16_384
    /// How many questions the source is asked at once; further ones wait, and begin in order.
    ///
    /// Where the source asks for a host's families apart, each is a question. 1 at least. Initially
    /// 1,024.
    public var concurrency = 1_024
    /// How many answers are remembered, failures among them; 0 for none.
    ///
    /// One of more than 64 addresses is not, nor one of other records with more than 4,096 bytes,
    /// of which each counts 32 more than it has. Initially 4,096.
    public var cacheLimit = 4_096
    /// No answer is remembered for longer than this.
    ///
    /// Initially 86,400 s, which is a day.
    public var longestTimeToLive = Duration.seconds(86_400)
    /// How long an answer is remembered whose source does not tell how long it holds, as the
    /// system's does not.
    ///
    /// Initially zero: not at all.
    public var timeToLiveIfUnknown = Duration.zero
    /// How long a failure is remembered whose source does not tell how long it holds.
    ///
    /// Initially 1 s, the least that is asked for. Source: RFC 9520, 3.2.
    public var failureTimeToLive = Duration.seconds(1)
    /// No failure is remembered for longer than this.
    ///
    /// Initially 300 s, the most that is allowed. Source: RFC 9520, 3.2.
    public var longestFailureTimeToLive = Duration.seconds(300)

    /// The initial values.
    public init() {}
}

/// What a resolver has done so far, and has to do now.
public struct ResolverCounters: Hashable, Sendable {
    /// Questions that it was asked.
    public var asked: UInt64 = 0
    /// Those that it answered from what it remembered alone.
    public var fromCache: UInt64 = 0
    /// Those that the source was not asked for, since it had been asked the same before and had not
    /// answered yet.
    public var joined: UInt64 = 0
    /// Those whose answer was a failure.
    public var failed: UInt64 = 0
    /// Those that were given up before they were answered.
    public var givenUp: UInt64 = 0
    /// Questions that wait until the source can be asked.
    public var waiting = 0
    /// Questions that the source is asked now.
    public var underWay = 0

    /// Zeros.
    public init() {}
}
