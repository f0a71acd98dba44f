package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/workfs/workfs/cache"
)

// syncReport is a line of the answer to a sync: how far it is, and at its end what failed.
type syncReport struct {
	cache.Progress
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
	Code  int    `json:"code,omitempty"`
}

func syncCommand(*global) *cobra.Command {
	var contents, asJSON bool
	cmd := &cobra.Command{
		Use:   "sync PATH",
		Short: "Bring a directory of a mount, and all below it, up to now",
		Long: "List a directory of a mount and all below it anew where that is not right already, so that it can be walked without\n" +
			"a request. With --contents whatever is not at hand is fetched too: files, attachments, the MIME form of mail.\n" +
			"The mount works on when this command is interrupted, and what was done stays done.",
		Example: "  workfs sync ~/work/contoso/outlook\n  workfs sync --contents ~/work/box/files/Contracts",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, m, inside, err := dialMount(args[0])
			if err != nil {
				return err
			}
			var last syncReport
			show := newSyncView(cmd, asJSON, contents)
			query := url.Values{"path": {inside}, "contents": {fmt.Sprint(contents)}}
			err = client.Stream(cmd.Context(), http.MethodPost, "/sync", query, func(line json.RawMessage) error {
				last = syncReport{}
				if err := json.Unmarshal(line, &last); err != nil {
					return fmt.Errorf("the daemon's answer: %w", err)
				}
				return show.report(line, &last)
			})
			show.end(&last)
			switch {
			case err != nil && cmd.Context().Err() != nil:
				return cmd.Context().Err()
			case err != nil:
				return unanswered(m.Point, err)
			case last.Error != "":
				return withCode(last.Code, errors.New(last.Error))
			case !last.Done:
				return withCode(codeTemporary, errors.New("the mount ended before it was done"))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&contents, "contents", false, "fetch contents, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print how far it is, a JSON object a line")
	return cmd
}

// syncView shows how far a sync is: as a bar on a terminal, else at the end.
type syncView struct {
	out      io.Writer
	asJSON   bool
	contents bool
	bar      *progressbar.ProgressBar // nil where there is no terminal
}

func newSyncView(cmd *cobra.Command, asJSON, contents bool) *syncView {
	v := &syncView{out: cmd.OutOrStdout(), asJSON: asJSON, contents: contents}
	if !asJSON && term.IsTerminal(int(os.Stderr.Fd())) {
		v.bar = progressbar.NewOptions(1,
			progressbar.OptionSetWriter(os.Stderr), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(false))
	}
	return v
}

func (v *syncView) report(line json.RawMessage, r *syncReport) error {
	switch {
	case v.asJSON:
		_, err := v.out.Write(append(line, '\n'))
		return err
	case v.bar == nil:
		return nil
	}
	v.bar.Describe(v.text(r))
	done, known := r.Directories, r.DirectoriesKnown
	if v.contents {
		done, known = done+int(r.Files), known+int(r.FilesKnown)
	}
	v.bar.ChangeMax(max(known, 1))
	return v.bar.Set(min(done, known))
}

// end leaves one line that says what was done.
func (v *syncView) end(r *syncReport) {
	if v.asJSON {
		return
	}
	if v.bar != nil {
		_ = v.bar.Clear() // of a terminal that is gone nobody sees anything
	}
	if r.DirectoriesKnown+int(r.FilesKnown) > 0 { // else it never began, and the error tells why
		fmt.Fprintln(v.out, v.text(r))
	}
}

func (v *syncView) text(r *syncReport) string {
	text := fmt.Sprintf("%d of %d directories", r.Directories, r.DirectoriesKnown)
	if v.contents {
		text += fmt.Sprintf(", %d of %d files, %s of %s", r.Files, r.FilesKnown, roughly(r.Bytes), roughly(r.BytesKnown))
	} else {
		text += fmt.Sprintf(", %d files", r.Files)
	}
	if r.Errors > 0 {
		text += fmt.Sprintf(", %d failed", r.Errors)
	}
	return text
}

// serveSync brings a subtree to now for as long as who asked for it waits.
func (s *session) serveSync(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	q := r.URL.Query()
	out := newStream(w)
	var last cache.Progress
	err := s.tree.Sync(ctx, q.Get("path"), q.Get("contents") == "true", func(p cache.Progress) {
		last = p
		_ = out.send(syncReport{Progress: p}) // when nobody listens any more the context ends
	})
	report := syncReport{Progress: last, Done: true}
	if err != nil {
		report.Error, report.Code = err.Error(), exitCode(err)
	}
	_ = out.send(report)
}
