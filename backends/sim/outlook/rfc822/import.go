package rfc822

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// keepParsed bounds the bytes of files whose parsed form stays in memory; later ones are parsed when they are looked at.
const keepParsed = 64 << 20

// ReadDir makes a message of every regular file below dir, whatever it contains: .eml files and Maildir ones alike, in
// order of their paths. Seen and flagged marks of Maildir names are kept. The MIME of each is its file.
func ReadDir(ctx context.Context, dir string) ([]*mailbox.Message, error) {
	var all []*mailbox.Message
	var kept int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := os.Stat(path) // follows links to files
		if err != nil || !info.Mode().IsRegular() {
			return nil // a dangling link, a directory, a device: no file
		}
		m, err := readFile(path, info, kept < keepParsed)
		if err != nil {
			return err
		}
		kept += info.Size()
		all = append(all, m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading mail in %s: %w", dir, err)
	}
	return all, nil
}

func readFile(path string, info fs.FileInfo, keep bool) (*mailbox.Message, error) {
	content, received, err := parseFile(path)
	if err != nil {
		return nil, err
	}
	if received.IsZero() {
		received = info.ModTime().UTC().Truncate(time.Second)
	}
	m := &mailbox.Message{
		Received: received, Created: received, Modified: received, Sent: sent(content.Headers),
		HasAttachments: content.HasAttachments(), IsRead: true,
	}
	if m.Sent.IsZero() {
		m.Sent = received
	}
	if flags, ok := maildirFlags(path); ok {
		m.IsRead = strings.Contains(flags, "S")
		if strings.Contains(flags, "F") {
			m.Flag = &mailbox.Flag{Status: "flagged"}
		}
	}
	m.Content = func() *mailbox.Content { return content }
	if !keep {
		m.Content = lazily(path)
	}
	return m, nil
}

func parseFile(path string) (*mailbox.Content, time.Time, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxParsed))
	if err != nil {
		return nil, time.Time{}, err
	}
	content, received := Read(raw)
	content.Raw = func() ([]byte, error) { return os.ReadFile(path) }
	return content, received, nil
}

// lazily parses a file when it is looked at, and keeps what it last gave.
func lazily(path string) func() *mailbox.Content {
	var mu sync.Mutex
	var kept *mailbox.Content
	return func() *mailbox.Content {
		mu.Lock()
		defer mu.Unlock()
		if kept != nil {
			return kept
		}
		content, _, err := parseFile(path)
		if err != nil {
			return &mailbox.Content{Corrupt: true}
		}
		if content.Size < 64<<10 {
			kept = content
		}
		return content
	}
}

// maildirFlags gives the flags of a file in a Maildir: those after ":2,", none in new.
func maildirFlags(path string) (flags string, ok bool) {
	switch filepath.Base(filepath.Dir(path)) {
	case "cur", "new", "tmp":
		_, flags, _ = strings.Cut(filepath.Base(path), ":2,")
		return flags, true
	}
	return "", false
}
