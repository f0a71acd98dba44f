package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/webhook"
	"github.com/workfs/workfs/cache"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
	"github.com/workfs/workfs/fs"
)

// mountStatus is what `workfs status` and .workfs/status.json say of a mount.
type mountStatus struct {
	Mountpoint   string             `json:"mountpoint"`
	PID          int                `json:"pid"`
	Version      string             `json:"version"`
	Started      time.Time          `json:"started"`
	CacheDir     string             `json:"cache_dir"`
	Connections  []connectionStatus `json:"connections"`
	Webhooks     *webhook.Status    `json:"webhooks,omitempty"` // nil where services can't reach this machine
	Cache        cache.Stats        `json:"cache"`
	Memory       *memoryStatus      `json:"memory,omitempty"`
	FUSERequests map[string]uint64  `json:"fuse_requests,omitempty"`
	Collections  []cache.Collection `json:"collections"`
}

func (s *session) status() (mountStatus, error) {
	st := mountStatus{
		Mountpoint: s.mountpoint, PID: os.Getpid(), Version: buildVersion().Version, Started: s.started.UTC(), CacheDir: s.cacheDir,
		Cache: s.cache.Stats(), Memory: processMemory(), FUSERequests: s.server.Requests(),
	}
	st.Connections = s.connectionStatuses()
	if s.receiver != nil {
		received := s.receiver.Status()
		st.Webhooks = &received
	}
	var err error
	st.Collections, err = s.tree.Collections()
	return st, err
}

// handler answers the control socket.
func (s *session) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, s.mountpoint) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		if !s.offline {
			s.checkSignIns(r.Context())
		}
		st, err := s.status()
		answer(w, st, err)
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Query().Get("path")
		if path == fs.VirtualDirName || strings.HasPrefix(path, fs.VirtualDirName+"/") {
			answer(w, nil, fmt.Errorf("%w: what is in %s is made by workfs itself and has nothing behind it", backends.ErrNotFound, fs.VirtualDirName))
			return
		}
		info, err := s.tree.Info(r.Context(), path)
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		answer(w, info, err)
	})
	mux.HandleFunc("GET /activity", s.serveActivity)
	mux.HandleFunc("POST /sync", s.serveSync)
	mux.HandleFunc("GET /profile", s.serveProfile)
	mux.HandleFunc("POST /connections/reload", s.serveReload)
	mux.HandleFunc("POST /cache/clear", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, struct{}{}, s.cache.Clear())
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, _ *http.Request) {
		s.stopOnce.Do(func() { close(s.stop) })
		answer(w, struct{}{}, nil)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.closing.Load() {
			answer(w, nil, withCode(codeTemporary, errors.New("the mount is ending")))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		(&control.Failure{Text: err.Error(), Code: exitCode(err)}).Write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a peer that is gone need not know
}

// virtualFiles are the files in .workfs.
func (s *session) virtualFiles() []fs.VirtualFile {
	return []fs.VirtualFile{
		{Name: "README.md", Content: func() []byte { return []byte(treeReadme) }},
		{Name: "coverage.md", Content: func() []byte { return coverageText(s.tree.Coverage()) }},
		{Name: "status.json", Content: s.statusFile},
		{Name: "activity.jsonl", Log: s.activity},
	}
}

// statusFile leaves out what every look at it would change.
func (s *session) statusFile() []byte {
	st, err := s.status()
	if err != nil {
		return []byte("{\"error\": " + strconv.Quote(err.Error()) + "}\n")
	}
	st.FUSERequests, st.Memory = nil, nil
	b, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return []byte("{}\n")
	}
	return append(b, '\n')
}

// coverageText lists what the tree does not show, for people.
func coverageText(gaps []backends.Gap) []byte {
	var b strings.Builder
	b.WriteString("# What is not shown, and why\n\n")
	if len(gaps) == 0 {
		b.WriteString("Nothing is known to be missing.\n")
	}
	for _, g := range gaps {
		path := g.Path
		if path == "" {
			path = "."
		}
		fmt.Fprintf(&b, "- `%s`: %s\n", strings.Join(strings.Fields(path), " "), strings.Join(strings.Fields(g.Reason), " "))
	}
	b.WriteString("\nGaps are found as directories are looked into: what nobody has opened yet may have more.\n")
	return []byte(b.String())
}

// xattrs serves user.workfs.* from what is known of a node.
func (s *session) xattrs(ctx context.Context, n backends.NodeID) (map[string]string, error) {
	path := s.tree.Path(n)
	if path == "" {
		return nil, nil
	}
	info, err := s.tree.Info(ctx, path)
	if err != nil {
		return nil, err
	}
	m := map[string]string{"version": info.Version, "sha256": info.SHA256, "synced_at": ""}
	if !info.SyncedAt.IsZero() {
		m["synced_at"] = info.SyncedAt.UTC().Format(time.RFC3339)
	}
	if i := info.Item; i != nil {
		m["id"], m["etag"], m["web_url"], m["from"] = i.ServiceID, i.ETag, i.WebURL, i.From
	}
	for name, value := range m {
		if value == "" {
			delete(m, name)
		}
	}
	return m, nil
}

const treeReadme = `# A workplace as files

Each directory beside this one (` + "`ls ..`" + `) is a connection: one sign-in to Microsoft 365 or Box.

- outlook/ADDRESS/mail/FOLDER/YYYY-MM/  messages by month received (UTC)
- outlook/ADDRESS/calendar/NAME/YYYY-MM/  events (.ics), a series in the month of its start
- outlook/ADDRESS/contacts/NAME/  contacts (.vcf)
- teams/channels/TEAM/CHANNEL/YYYY-MM/  posts and replies; files/ and members.csv beside them
- teams/chats/CHAT/YYYY-MM/  messages of a chat; members.csv beside them
- directory/  users, groups and presence as tables
- box/files/  Box folders, byte for byte

A message is TIME_PERSON_SUBJECT~HASH.md (or .json, .eml); what is attached to it is in the directory of the same name
that ends in .attachments. Everything is read-only. Names, inode numbers, sizes and times of what does not change stay
the same over remounts, so grep, rsync, tar, restic and borg can be used as on any disk.

status.json tells what is cached, how old it is and how it is kept right, coverage.md what is not shown and why,
activity.jsonl what changed: a line for each change, at the end of it the latest (` + "`tail -f`" + ` works).
` + "`workfs info PATH`" + ` tells all about one file.
`
