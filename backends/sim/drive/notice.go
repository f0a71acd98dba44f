package drive

import "github.com/workfs/workfs/backends/sim/graph"

// Find tells whether there is a drive of that id, and whether the caller may see it.
func (s *Store) Find(id string, caller graph.Caller) (found, allowed bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d := s.drives[id]
	if d == nil {
		return false, false
	}
	owns := d.Owner != nil && d.Owner.ID == caller.UserID
	return true, caller.AppOnly || owns || d.Readers != nil && d.Readers(caller.UserID)
}
