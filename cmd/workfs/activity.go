package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/activity"
	"github.com/workfs/workfs/cache"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
)

func activityCommand(*global) *cobra.Command {
	var follow, asJSON bool
	var since, subscription, connection string
	cmd := &cobra.Command{
		Use:   "activity [PATH]",
		Short: "Tell what changed in the mounts, when, and how it was learnt",
		Long: "Tell what was created, changed, renamed, moved and removed below PATH, or in all running mounts, oldest first.\n" +
			"The same is in .workfs/activity.jsonl of each mount; of changes long ago it keeps only so many.",
		Example: "  workfs activity --since 2h\n  workfs activity --follow ~/work/contoso/outlook\n  workfs activity --since 2026-11-20 --json | jq .path",
		Args:    usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{"follow": {fmt.Sprint(follow)}, "subscription": {subscription}, "connection": {connection}}
			if since != "" {
				at, err := parseSince(since, time.Now())
				if err != nil {
					return withCode(codeUsage, err)
				}
				query.Set("since", at.Format(time.RFC3339Nano))
			}
			dir, err := config.RuntimeDir()
			if err != nil {
				return err
			}
			points, below, err := activityMounts(cmd.Context(), dir, args)
			if err != nil {
				return err
			}
			query.Set("below", below)
			out := &activityPrinter{out: cmd.OutOrStdout(), asJSON: asJSON}
			return eachMount(cmd.Context(), points, follow, func(ctx context.Context, point string) error {
				client := control.Dial(control.SocketPath(dir, point))
				err := client.Stream(ctx, http.MethodGet, "/activity", query, func(line json.RawMessage) error {
					return out.print(point, line)
				})
				if follow && ctx.Err() != nil {
					return nil // it was to end that way
				}
				if err != nil {
					return unanswered(point, err)
				}
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "go on with what changes from now on")
	f.StringVar(&since, "since", "", "begin at a time (2026-11-20, 2026-11-20T09:00:00Z) or so long ago (2h, 3d)")
	f.StringVar(&subscription, "subscription", "", "only what the notifications of this subscription told of")
	f.StringVarP(&connection, "connection", "c", "", "only of this connection")
	f.BoolVar(&asJSON, "json", false, "print a JSON object a line")
	return cmd
}

// activityMounts gives the mountpoints to ask: that of a path, with the path inside it, or all that run.
func activityMounts(ctx context.Context, runtimeDir string, args []string) (points []string, below string, err error) {
	if len(args) == 1 {
		m, inside, err := mountOf(args[0])
		return []string{m.Point}, inside, err
	}
	running, err := askStatus(ctx, runtimeDir, nil)
	if err != nil {
		return nil, "", err
	}
	for _, st := range running {
		points = append(points, st.Mountpoint)
	}
	if len(points) == 0 {
		return nil, "", withCode(codeNotFound, errors.New("no mount is running"))
	}
	return points, "", nil
}

// eachMount asks mounts one after the other, or all at once where the answers do not end.
func eachMount(ctx context.Context, points []string, atOnce bool, ask func(context.Context, string) error) error {
	if !atOnce {
		for _, point := range points {
			if err := ask(ctx, point); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, len(points))
	var wg sync.WaitGroup
	for i, point := range points {
		wg.Go(func() { errs[i] = ask(ctx, point) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// parseSince reads a point in the past: a date, a time, or how long ago it was.
func parseSince(text string, now time.Time) (time.Time, error) { return parseMoment(text, now, -1) }

// parseUntil reads a point in the future: a date, a time, or how far it is.
func parseUntil(text string, now time.Time) (time.Time, error) { return parseMoment(text, now, 1) }

// parseMoment reads a point in time, or its distance from now in a direction.
func parseMoment(text string, now time.Time, direction time.Duration) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	var distance config.Duration
	if err := distance.Set(text); err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time: write 2026-11-20, 2026-11-20T09:00:00Z, or 2h or 3d for so long from now", text)
	}
	return now.Add(direction * time.Duration(distance)), nil
}

// activityPrinter writes records of several mounts.
type activityPrinter struct {
	mu     sync.Mutex
	out    io.Writer
	asJSON bool
}

func (p *activityPrinter) print(point string, line json.RawMessage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asJSON {
		_, err := p.out.Write(append(line, '\n'))
		return err
	}
	var r activity.Record
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("the daemon's answer: %w", err)
	}
	_, err := fmt.Fprintln(p.out, activityLine(point, &r))
	return err
}

// activityLine writes a record for people.
func activityLine(point string, r *activity.Record) string {
	where := func(inside string) string {
		return printable(filepath.Join(point, filepath.FromSlash(path.Clean("/"+inside))))
	}
	line := r.Time.Local().Format("2006-01-02 15:04:05") + "  " + fmt.Sprintf("%-8s", printable(r.Action)) + "  "
	if r.OldPath != "" {
		line += where(r.OldPath) + " -> "
	}
	line += where(r.Path)
	if r.Type == "directory" {
		line += "/"
	}
	how := printable(r.By)
	if r.Lag > 0 {
		how += ", " + (time.Duration(r.Lag * float64(time.Millisecond))).Round(time.Millisecond).String()
	}
	return line + "  (" + how + ")"
}

// noteChanges writes what changed in the tree to the log.
func (s *session) noteChanges(changes []cache.Change) {
	records := make([]activity.Record, len(changes))
	for i := range changes {
		c := &changes[i]
		r := &records[i]
		*r = activity.Record{
			Time: c.At.UTC(), Action: c.Action, Path: c.Path, OldPath: c.OldPath, Type: "file",
			Connection: c.Connection, Service: c.Service, Collection: c.Collection,
			ID: c.Item.ServiceID, ETag: c.Item.ETag, WebURL: c.Item.WebURL,
			By: c.Origin.By, Subscription: c.Origin.Subscription,
		}
		if c.IsDir {
			r.Type = "directory"
		}
		if !c.Origin.At.IsZero() {
			r.Lag = float64(c.At.Sub(c.Origin.At).Microseconds()) / 1000
		}
	}
	if err := s.activity.Append(records...); err != nil {
		s.log.Error("changes are missing in the activity log", "changes", len(records), "error", err)
	}
}

// serveActivity answers a command that wants to see records.
func (s *session) serveActivity(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	filter := activity.Filter{
		Subscription: q.Get("subscription"), Connection: q.Get("connection"), Below: strings.Trim(q.Get("below"), "/"),
	}
	if since := q.Get("since"); since != "" {
		var err error
		if filter.Since, err = time.Parse(time.RFC3339Nano, since); err != nil {
			answer(w, nil, withCode(codeUsage, err))
			return
		}
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	follow := q.Get("follow") == "true"
	stream := newStream(w)
	err := s.activity.Read(ctx, filter, follow, func(rec *activity.Record) bool { return stream.send(rec) == nil })
	if err != nil {
		s.log.Warn("activity log", "error", err)
	}
}

// stream is an answer of JSON values, each sent when it comes.
type stream struct {
	enc     *json.Encoder
	control *http.ResponseController
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "application/json")
	s := &stream{json.NewEncoder(w), http.NewResponseController(w)}
	_ = s.control.Flush() // so that who asked knows that somebody answers
	return s
}

func (s *stream) send(v any) error {
	if err := s.enc.Encode(v); err != nil {
		return err
	}
	return s.control.Flush()
}
