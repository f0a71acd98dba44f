// Package sim runs simulated Microsoft and Box clouds in one process: Entra ID, Graph and Box over real HTTP, each on a
// loopback address of its own, with a small company inside. It follows the services' public documentation, limits and
// awkward shapes included, and knows nothing of the clients that talk to it.
//
// [New] builds the clouds, [Sim.Start] listens, [Sim.Ready] tells the addresses and credentials, [Sim.WriteConfig] writes
// them as a configuration. Tests and the demo use it in process, cmd/workfs-sim as a program.
package sim
