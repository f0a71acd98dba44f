// Package backendtest has what tests of services share: a Sink in memory, clients of a simulator, and a suite that every
// service passes over real HTTP.
//
// It imports no service, so that the tests inside a service's package may import it.
package backendtest
