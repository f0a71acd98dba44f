// Command peer does beside workfs what scripts/bench compares it with, where Python would be measured instead of the
// thing itself. Every subcommand prints one JSON object.
//
//	peer pages URL SIZE            follow the pages of a delta query and throw them away; the token is in PEER_TOKEN
//	peer random FILE COUNT         read 4 KiB at random offsets
//	peer list DIR COUNT PAUSE      what ls -l asks for, COUNT times: read the directory and lstat each name; each time in
//	                               the next directory below DIR, if there are any
//	peer readers DIR COUNT         read all files below a directory once, with COUNT readers at a time
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const block = 4096 // bytes of a random read, as of a page

// result is what a subcommand prints.
type result map[string]any

func main() {
	out, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(args []string) (result, error) {
	usage := errors.New("usage: peer pages URL SIZE | random FILE COUNT | list DIR COUNT PAUSE | readers DIR COUNT")
	if len(args) < 3 {
		return nil, usage
	}
	n, err := strconv.Atoi(args[2])
	if err != nil || n < 1 {
		return nil, usage
	}
	switch what, where, rest := args[0], args[1], args[3:]; {
	case what == "pages" && len(rest) == 0:
		return pages(where, n)
	case what == "random" && len(rest) == 0:
		return random(where, n)
	case what == "list" && len(rest) == 1:
		pause, err := time.ParseDuration(rest[0])
		if err != nil {
			return nil, err
		}
		return list(where, n, pause)
	case what == "readers" && len(rest) == 0:
		return readers(where, n)
	}
	return nil, usage
}

// random reads blocks of a file at random, aligned offsets.
func random(path string, count int) (result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	blocks := st.Size() / block
	if blocks == 0 {
		return nil, fmt.Errorf("%s is smaller than a block", path)
	}
	r := rand.New(rand.NewPCG(1, uint64(blocks))) // the same offsets everywhere
	offsets := make([]int64, count)
	for i := range offsets {
		offsets[i] = r.Int64N(blocks) * block
	}
	b := make([]byte, block)
	start := time.Now()
	for _, off := range offsets {
		if _, err := f.ReadAt(b, off); err != nil {
			return nil, err
		}
	}
	return result{"seconds": time.Since(start).Seconds(), "reads": count}, nil
}

// list asks for a directory as ls -l does, again and again, and tells how long that took.
func list(dir string, count int, pause time.Duration) (result, error) {
	below, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, d := range below {
		if d.IsDir() {
			dirs = append(dirs, filepath.Join(dir, d.Name()))
		}
	}
	if len(dirs) == 0 {
		dirs = append(dirs, dir)
	}
	took := make([]time.Duration, 0, count)
	var entries int
	for i := range count {
		dir := dirs[i%len(dirs)]
		start := time.Now()
		names, err := readNames(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		}
		took = append(took, time.Since(start))
		entries = len(names)
		time.Sleep(pause)
	}
	slices.Sort(took)
	at := func(share float64) float64 { return took[int(share*float64(count-1))].Seconds() }
	return result{"entries": entries, "p50": at(0.5), "p99": at(0.99), "max": at(1)}, nil
}

func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// readers reads every file once. Each reader takes the next file that nobody has taken, so that all of them work in the
// same directories at a time.
func readers(dir string, count int) (result, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var next, size atomic.Int64
	failed := make(chan error, count)
	var all sync.WaitGroup
	start := time.Now()
	for range count {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(paths)); i = next.Add(1) - 1 {
				b, err := os.ReadFile(paths[i])
				if err != nil {
					failed <- err
					return
				}
				size.Add(int64(len(b)))
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	select {
	case err := <-failed:
		return nil, err
	default:
		return result{"seconds": took.Seconds(), "files": len(paths), "bytes": size.Load()}, nil
	}
}
