package cache

import (
	"testing"
)

func TestMemoryOfRenamedAndRemovedConnections(t *testing.T) {
	c, err := Open(Options{CacheDir: t.TempDir(), StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	put := func(connection, key, value string) {
		t.Helper()
		if err := c.Memory(connection).Put(key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(connection, key, want string) {
		t.Helper()
		if got, ok := c.Memory(connection).Get(key); string(got) != want || ok != (want != "") {
			t.Errorf("%s of %s is %q, want %q", key, connection, got, want)
		}
	}
	put("box", "account", "a")
	put("box", "cursor", "c")
	put("box2", "account", "other")
	put("new", "account", "of an earlier connection")
	put("new", "stale", "s")
	if err := c.RenameMemory("box", "new"); err != nil {
		t.Fatal(err)
	}
	check("new", "account", "a")
	check("new", "cursor", "c")
	check("new", "stale", "")
	check("box", "account", "")
	check("box2", "account", "other")
	if err := c.ForgetMemory("new"); err != nil {
		t.Fatal(err)
	}
	check("new", "account", "")
	check("box2", "account", "other")
}
