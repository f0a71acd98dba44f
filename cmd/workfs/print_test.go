package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
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
		Collections: []cache.Collection{{Service: evil, Name: evil, Error: evil}},
	}
	for _, all := range []bool{false, true} {
		if err := printStatus(&out, st, all); err != nil {
			t.Fatal(err)
		}
	}
	if err := printInfo(&out, cache.FileInfo{
		Path: evil, Version: evil, Service: evil, Error: evil, SHA256: evil,
		Item: &backends.Info{ServiceID: evil, ETag: evil, WebURL: evil, From: evil, Hash: evil},
	}); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.ContainsAny(s, "\x1b\x07\u202e") || strings.Contains(s, "\nFAKE") {
		t.Errorf("printed %q", s)
	}
}
