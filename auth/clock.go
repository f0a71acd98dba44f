package auth

import (
	"fmt"
	"time"
)

// clockTolerance is how wrong this machine's clock may be without being named as the cause of a refusal. Entra itself
// tolerates five minutes (an observation: its pages give no number); Date has whole seconds and the network delays it.
const clockTolerance = 2 * time.Minute

// clockError says by how much this machine's clock is wrong, ahead of the service's by off. Nothing is wrong if it is nil.
func clockError(off time.Duration, code string) *Error {
	if off.Abs() < clockTolerance {
		return nil
	}
	way := "ahead"
	if off < 0 {
		way = "behind"
	}
	return &Error{Kind: Broken, Code: code, Action: fmt.Sprintf("the clock of this machine is %d minutes %s: set it, best by NTP",
		int(off.Abs().Round(time.Minute).Minutes()), way)}
}
