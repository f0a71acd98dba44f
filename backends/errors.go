package backends

import (
	"context"
	"errors"
)

// The kinds of failure that all layers agree on. The lowest layer that understands a failure wraps one of them;
// everybody above asks with errors.Is.
var (
	// ErrNotFound: the thing is not there, or not for this sign-in (404, 410).
	ErrNotFound = errors.New("not found")
	// ErrForbidden: the sign-in lacks the permission, or is dead (401 after a refresh, 403).
	ErrForbidden = errors.New("permission denied")
	// ErrThrottled: the service asked to wait for longer than the operation may take (429, 503 with Retry-After).
	ErrThrottled = errors.New("throttled by the service")
	// ErrUnavailable: the service or the network is down, or answered nonsense after retries.
	ErrUnavailable = errors.New("service unavailable")
	// ErrStale: the version of a content that was asked for is gone or turned out different.
	ErrStale = errors.New("content version is gone")
	// ErrBroken: the service has the item but can't give it (ErrorCorruptData, malware).
	ErrBroken = errors.New("item is broken at the service")
	// ErrNoSpace: the cache has no room for what has to be kept.
	ErrNoSpace = errors.New("no space left for the cache")
)

// Temporary tells whether trying again later can help.
func Temporary(err error) bool {
	return errors.Is(err, ErrThrottled) || errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}
