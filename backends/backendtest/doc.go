// Package backendtest has what tests of services share: a Sink in memory, and a suite that every service passes over real
// HTTP against the simulator.
package backendtest
