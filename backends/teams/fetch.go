package teams

import (
	"context"
	"fmt"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// What a Ref begins with.
const (
	refHosted = "hosted" // path of a hosted content's $value
	refFile   = "file"   // drive, item
)

// Fetch implements backends.Backend.
func (s *service) Fetch(ctx context.Context, f backends.File, off, n int64) (backends.Content, error) {
	ref := split(f.Ref)
	switch {
	case ref[0] == refHosted && len(ref) == 2:
		body, _, err := s.client.Stream(ctx, ref[1])
		if err != nil {
			return backends.Content{}, fmt.Errorf("teams: pasted image: %w", err)
		}
		return backends.Content{ReadCloser: body, Total: backends.SizeUnknown}, nil
	case ref[0] == refFile && len(ref) == 3:
		path := graph.Path("drives", ref[1], "items", ref[2], "content")
		content, err := s.client.Content(ctx, path, join(ref[1], ref[2], f.Version), off, n)
		if err != nil {
			return backends.Content{}, fmt.Errorf("teams: file: %w", err)
		}
		return content, nil
	}
	return backends.Content{}, fmt.Errorf("teams: %w: nothing to fetch for %s", backends.ErrNotFound, f.ID)
}
