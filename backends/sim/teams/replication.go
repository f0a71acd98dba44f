package teams

import (
	"iter"
	"time"

	"github.com/workfs/workfs/backends/sim/order"
)

// A change notification may come before reads know of the new message. The switch teams.replication_seconds makes that so: for
// its virtual time a new message is in no listing and behind no id, and delta rounds do not tell of any change.

func (s *Service) replication() time.Duration {
	return time.Duration(s.world.Switches.Int(switchReplication)) * time.Second
}

// hidden tells whether reads do not know of a message yet.
func (s *Service) hidden(m *Message) bool {
	lag := s.replication()
	return lag > 0 && s.world.Clock.Now().Sub(m.Created) < lag
}

// known leaves out of a walk what reads do not know of yet.
func (s *Service) known(walk iter.Seq2[order.Key, *Message]) iter.Seq2[order.Key, *Message] {
	return func(yield func(order.Key, *Message) bool) {
		for k, m := range walk {
			if !s.hidden(m) && !yield(k, m) {
				return
			}
		}
	}
}

// settled ends a walk by change time before the first change that delta rounds do not tell of yet.
func (s *Service) settled(walk iter.Seq2[order.Key, *Message]) iter.Seq2[order.Key, *Message] {
	lag := s.replication()
	if lag == 0 {
		return walk
	}
	return func(yield func(order.Key, *Message) bool) {
		limit := ms(s.world.Clock.Now().Add(-lag))
		for k, m := range walk {
			if k.N > limit || !yield(k, m) {
				return
			}
		}
	}
}
