package kv

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

var bucket = []byte("b")

func options(log *bytes.Buffer) Options {
	return Options{Format: "test 1", Buckets: []string{"b"}, Log: slog.New(slog.NewTextHandler(log, nil))}
}

func mustOpen(t *testing.T, path string, o Options) (*DB, bool) {
	t.Helper()
	db, fresh, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return db, fresh
}

func put(t *testing.T, db *DB, k, v string) {
	t.Helper()
	err := db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte(k), []byte(v)) })
	if err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, db *DB, k string) (v string) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error { v = string(tx.Bucket(bucket).Get([]byte(k))); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOpenAgain(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "x.db")
	db, fresh := mustOpen(t, path, options(&log))
	if !fresh {
		t.Error("a new database is not fresh")
	}
	put(t, db, "k", "v")
	if db.Size() <= 0 || db.Used() > db.Size() {
		t.Errorf("size %d, used %d", db.Size(), db.Used())
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	o := options(&log)
	o.Buckets = append(o.Buckets, "another")
	db, fresh = mustOpen(t, path, o)
	defer db.Close()
	if fresh || get(t, db, "k") != "v" {
		t.Error("what was there is gone")
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
}

func TestAnotherFormat(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "x.db")
	db, _ := mustOpen(t, path, options(&log))
	put(t, db, "k", "v")
	db.Close()
	o := options(&log)
	o.Format = "test 2"
	if _, _, err := Open(path, o); !errors.Is(err, ErrFormat) {
		t.Errorf("another format: %v", err)
	}
	o.Replace = true
	db, fresh := mustOpen(t, path, o)
	if !fresh || get(t, db, "k") != "" {
		t.Error("not replaced")
	}
	db.Close()
	aside, _ := filepath.Glob(path + ".*.aside")
	if len(aside) != 1 || !strings.Contains(log.String(), "set aside") {
		t.Fatalf("aside: %v, log: %s", aside, log.String())
	}
	db, _ = mustOpen(t, aside[0], options(&log))
	defer db.Close()
	if get(t, db, "k") != "v" {
		t.Error("what was set aside is not what was there")
	}
}

func TestDamageFoundWhileInUse(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "x.db")
	db, _ := mustOpen(t, path, options(&log))
	for i := range 2000 {
		if i%500 == 0 {
			put(t, db, strings.Repeat("k", i+1), strings.Repeat("v", 1000))
		}
	}
	err := db.View(func(*bbolt.Tx) error { panic("page 7 is not a page") })
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("panic: %v", err)
	}
	if get(t, db, "k") == "" {
		t.Error("the database cannot be used after a panic in a reader")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, fresh := mustOpen(t, path, options(&log))
	if !fresh {
		t.Error("a damaged database was opened again")
	}
	put(t, db, "k", "new")
	db.Close()
	db, fresh = mustOpen(t, path, options(&log))
	defer db.Close()
	if fresh || get(t, db, "k") != "new" {
		t.Error("set aside twice")
	}
}

func TestNoPermissionIsNotDamage(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "dir.db")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path, options(&log)); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a directory: %v", err)
	}
	if aside, _ := filepath.Glob(path + ".*.aside"); len(aside) != 0 {
		t.Errorf("set aside %v", aside)
	}
}
