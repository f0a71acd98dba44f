package core

import (
	"encoding/json"
	"fmt"
	"sort"
	"sync"
)

// Switches are named behaviours of the simulated services. Each package registers its own with a default and one line of
// documentation; the control host lists and sets them.
type Switches struct {
	mu sync.RWMutex
	m  map[string]*Switch
}

// Switch is one named behaviour. Value and Default are both a bool, an int or a string.
type Switch struct {
	Name    string `json:"name"`
	Value   any    `json:"value"`
	Default any    `json:"default"`
	Doc     string `json:"doc"`
}

func newSwitches() *Switches { return &Switches{m: map[string]*Switch{}} }

// Register adds a switch; def must be a bool, an int or a string. It panics on another type and on a name that is taken,
// since both are mistakes of the program.
func (s *Switches) Register(name string, def any, doc string) {
	switch def.(type) {
	case bool, int, string:
	default:
		panic(fmt.Sprintf("switch %s: unsupported type %T", name, def))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[name] != nil {
		panic("switch registered twice: " + name)
	}
	s.m[name] = &Switch{Name: name, Value: def, Default: def, Doc: doc}
}

func (s *Switches) get(name string) any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sw := s.m[name]
	if sw == nil {
		panic("switch not registered: " + name)
	}
	return sw.Value
}

// Bool gives the value of a registered bool switch.
func (s *Switches) Bool(name string) bool { return s.get(name).(bool) }

// Int gives the value of a registered int switch.
func (s *Switches) Int(name string) int { return s.get(name).(int) }

// String gives the value of a registered string switch.
func (s *Switches) String(name string) string { return s.get(name).(string) }

// Set changes a switch. The value must have the type of the default; numbers as encoding/json decodes them are fine for
// ints. The error names the switch.
func (s *Switches) Set(name string, value any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sw := s.m[name]
	if sw == nil {
		return fmt.Errorf("unknown switch %q", name)
	}
	switch sw.Default.(type) {
	case bool:
		if v, ok := value.(bool); ok {
			sw.Value = v
			return nil
		}
	case string:
		if v, ok := value.(string); ok {
			sw.Value = v
			return nil
		}
	case int:
		switch v := value.(type) {
		case int:
			sw.Value = v
			return nil
		case float64:
			if v == float64(int(v)) {
				sw.Value = int(v)
				return nil
			}
		case json.Number:
			if n, err := v.Int64(); err == nil {
				sw.Value = int(n)
				return nil
			}
		}
	}
	return fmt.Errorf("switch %q wants a %T, not %T", name, sw.Default, value)
}

// Reset puts every switch back to its default.
func (s *Switches) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sw := range s.m {
		sw.Value = sw.Default
	}
}

// All gives a copy of every switch, sorted by name.
func (s *Switches) All() []Switch {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]Switch, 0, len(s.m))
	for _, sw := range s.m {
		all = append(all, *sw)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}
