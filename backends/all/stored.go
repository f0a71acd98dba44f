package all

import (
	"encoding/json"
	"strings"

	"github.com/workfs/workfs/backends"
)

// signInKey is where is remembered what the credentials said of their sign-in.
const signInKey = "sign-in"

// storedSignIn is what credentials say of their sign-in beside secrets. It is remembered, so that what is cached can be shown,
// and as whose, while they can't be read.
type storedSignIn struct {
	Lineage string `json:"lineage,omitempty"`
	Scope   string `json:"scope,omitempty"`
	auth    string
}

// lastSignIn reads the credentials of a connection, and gives what is remembered where that fails: the first request will
// tell why.
func lastSignIn(conn backends.Connection, memory backends.Memory) storedSignIn {
	in := storedSignIn{auth: conn.Auth}
	if conn.Auth == "token" {
		return in
	}
	kept, known := memory.Get(signInKey)
	c, err := storeOf(conn).Load()
	if err != nil {
		if known {
			_ = json.Unmarshal(kept, &in) // asking anew is all that it saves
		}
		return in
	}
	in.Lineage, in.Scope = c.Lineage, c.Scope
	if v, err := json.Marshal(in); err == nil && string(v) != string(kept) {
		// Without it, credentials that can't be read cost what is cached, no more.
		_ = memory.Put(signInKey, v)
	}
	return in
}

// granted gives the scopes that a person's sign-in was granted, nil if unknown. Those of an application are in its tokens,
// which are nobody's to read but Graph's.
func (s storedSignIn) granted() []string {
	if s.auth != "delegated" || s.Scope == "" {
		return nil
	}
	return strings.Fields(s.Scope)
}
