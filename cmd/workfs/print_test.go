package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/webhook"
	"github.com/workfs/workfs/cache"
)

// TestPrintable: nothing that a service says reaches the terminal as anything but text.
func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain": "plain",
		"Ünïcode 王小明 👩\u200d👩 مرحبا": "Ünïcode 王小明 👩\u200d👩 مرحبا",
		"\x1b[31mred\x1b[0m":         "?[31mred?[0m",
		"a\nb\rc\td\x00e\x7ff":       "a?b?c?d?e?f",
		"\u009b31m":                  "?31m",
		"gpj\u202egnp.exe":           "gpj?gnp.exe",
		"a\u2028b\u2066c\ufeffd":     "a?b?c?d",
		"\xff\xfe":                   "\ufffd\ufffd",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q is printed as %q, want %q", in, got, want)
		}
	}
	const evil = "\x1b]0;owned\x07\u202e\nFAKE line"
	var out bytes.Buffer
	st := mountStatus{
		Mountpoint: "/mnt/" + evil, Started: time.Unix(0, 0),
		Connections: []connectionStatus{{Name: evil, Type: evil, Auth: evil, Error: evil}},
		Webhooks:    &webhook.Status{Address: evil, Reach: backends.Reach{Problem: evil}},
		Collections: []cache.Collection{{
			Service: evil, Name: evil, Error: evil, PausedFor: evil, Directories: 2, Live: 1,
			Following:  &cache.Following{By: evil, Problem: evil, Subscription: evil},
			LastChange: &cache.LastChange{At: time.Unix(0, 0), By: evil},
		}},
	}
	for _, all := range []bool{false, true} {
		if err := printStatus(&out, st, all); err != nil {
			t.Fatal(err)
		}
	}
	if err := printInfo(&out, cache.FileInfo{
		Path: evil, Version: evil, Service: evil, Error: evil, SHA256: evil,
		SyncedAt: time.Unix(0, 0), Live: true, Following: &cache.Following{By: evil, Problem: evil, Subscription: evil},
		LastChange: &cache.LastChange{By: evil},
		Item:       &backends.Info{ServiceID: evil, ETag: evil, WebURL: evil, From: evil, Hash: evil},
	}); err != nil {
		t.Fatal(err)
	}
	one := subscriptionInfo{ID: evil, Resource: evil, Changes: []string{evil}, Address: evil, LifecycleAddress: evil, Application: evil, Mount: evil}
	if err := errors.Join(printSubscription(&out, one), printSubscriptions(&out, []subscriptionInfo{one})); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.ContainsAny(s, "\x1b\x07\u202e") || strings.Contains(s, "\nFAKE") {
		t.Errorf("printed %q", s)
	}
}
