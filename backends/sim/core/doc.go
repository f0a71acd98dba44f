// Package core is what all simulated services of one simulator share: the virtual clock, seeded randomness, named
// switches, request statistics, injected faults, the loopback hosts, and a router for Graph- and Box-style paths.
//
// A service makes a [Router] for its host with [NewRouter] and registers patterns on it; the router counts every request,
// applies latency and faults, and hands the handler a [Request]. Nothing here knows a service, and nothing here knows the
// clients of the simulator.
package core
