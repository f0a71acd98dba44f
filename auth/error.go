package auth

import (
	"errors"
	"strings"
	"time"
)

// Kind says whom an Error concerns.
type Kind uint8

const (
	// Denied: the sign-in service refused the credentials; only a person can help.
	Denied Kind = iota
	// Broken: the credentials or the configuration on this machine cannot be used; only a person can help.
	Broken
	// Throttled: the sign-in service asks to wait.
	Throttled
	// Unreachable: the sign-in service or the network is down, or answered nonsense.
	Unreachable
)

// Error says in one line why there is no token and what to do about it. It never holds a secret.
type Error struct {
	Kind   Kind
	Code   string // the service's code, such as "invalid_grant AADSTS700082", "" if it gave none
	Action string // what happened and what to do
	Reason Reason // the row of the table that Action comes from; zero where no service refused
	Err    error  // the cause, if there is one below

	after  time.Duration // how long a throttling service asks to wait, 0 if it does not say
	unsent bool          // the service was not even reached, so that it has used up nothing
}

// Error gives the line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("sign-in: ")
	b.WriteString(e.Action)
	if e.Code != "" {
		b.WriteString(" (" + e.Code + ")")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// lasting tells whether asking again without a person's help is pointless.
func lasting(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Kind == Denied || e.Kind == Broken)
}

func broken(err error, action string) *Error { return &Error{Kind: Broken, Action: action, Err: err} }
