// SPDX-License-Identifier: Apache-2.0
//
// What the options of `sluice serve` mean for the library.

import Sluice

extension ServeCommand {
    /// How long clients may go on after the end was asked for.
    var drainLimit: Duration { drain?.duration ?? .seconds(5) }

    /// How its listeners are opened.
    var listenerOptions: ListenerOptions {
        var options = ListenerOptions()
        if let backlog { options.backlog = backlog }
        options.reusePort = reusePort
        return options
    }

    /// How a server of this process is opened.
    var serverOptions: ServerOptions {
        var options = ServerOptions()
        options.samePort = true
        options.listener = listenerOptions
        options.channel.lingerLimit = drainLimit
        times.apply(to: &options.channel)
        buffers.apply(to: &options.channel)
        admission.apply(to: &options, in: processes.part)
        // They were checked when the command line was read.
        if let text = try? text.text() { options.channel.text = text }
        return options
    }

    /// How the servers of several threads are.
    var groupOptions: ServingOptions {
        var group = ServingOptions()
        group.server = serverOptions
        group.distribution = distribution.value
        group.drainLimit = drainLimit
        return group
    }

    /// What one of the threads may hold in memory; `nil` for as much as it likes.
    func bufferLimit(ofThread index: Int) -> BufferLimit? {
        let part = processes.part
        return buffers.limit(
            in: Share(index: part.index * workers + index, count: part.count * workers))
    }
}
