package outlook

import (
	"slices"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// A change notification may come before reads know of the new message. The switch outlook.replication_seconds makes that so:
// for its virtual time a new message is in no listing, no delta round and behind no id.

// hidden tells whether reads do not know of a message yet. Needs RLock.
func (c *call) hidden(m *mailbox.Message) bool {
	lag := c.World.Switches.Int(switchReplication)
	return lag > 0 && c.Now().Sub(m.Created) < time.Duration(lag)*time.Second
}

// replicated gives what reads know of an index. Needs RLock.
func (c *call) replicated(index mailbox.Index) mailbox.Index {
	if c.World.Switches.Int(switchReplication) <= 0 || !slices.ContainsFunc(index, c.hidden) {
		return index
	}
	return slices.DeleteFunc(slices.Clone(index), c.hidden)
}

// known gives the last change in a log that reads know of, given that they know those up to from: what comes after a hidden
// message is told with it, or a delta round would pass it over. Needs RLock.
func (c *call) known(log *mailbox.Log, from uint64) uint64 {
	if c.World.Switches.Int(switchReplication) > 0 {
		for _, e := range log.Since(from) {
			if e.Op != mailbox.Created || e.Ref.Kind != mailbox.KindMessage {
				continue
			}
			// Wherever it has moved since.
			m := c.mb.MessageByRef(mailbox.Ref{Kind: mailbox.KindMessage, Immutable: true, Key: e.Ref.Key})
			if m != nil && c.hidden(m) {
				return e.Seq - 1
			}
		}
	}
	return log.Last()
}
