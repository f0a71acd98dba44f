package signin

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// Browser is the person's side of a flow.
type Browser struct {
	// Callback is where the browser comes back to.
	Callback Callback
	// Show tells the person the address to open, and may open it. It must not block.
	Show func(address string)
	// Paste brings lines that the person typed: the address on which the browser ended, or the code from it. nil or closed:
	// nobody types.
	Paste <-chan string
	// Note tells the person in a line what happened while waiting; nil for nobody.
	Note func(line string)
}

// visit shows the address that begin makes and waits for its answer, from the browser or from the person, whichever is
// first. finish gets it; what finish says ends the flow. The browser shows its error, or done.
func (b Browser) visit(ctx context.Context, done page, begin func(redirect, state string) string, finish func(answer url.Values, redirect string) error) error {
	note := b.Note
	if note == nil {
		note = func(string) {}
	}
	v, err := listen(b.Callback, random(), done, note)
	if err != nil {
		return err
	}
	defer v.close()
	redirect := v.redirect.String()
	b.Show(begin(redirect, v.state))
	paste := b.Paste
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case came := <-v.answers:
			err := finish(came.query, redirect)
			came.ended <- err
			return err
		case line, more := <-paste:
			if !more {
				paste = nil
				if v.server == nil {
					return errors.New("nobody can paste the address on which the browser ended, and nothing listens for it")
				}
				continue
			}
			if strings.TrimSpace(line) == "" {
				continue
			}
			answer, err := pasted(line, v.state)
			if err != nil {
				note(err.Error())
				continue
			}
			return finish(answer, redirect)
		}
	}
}

// bareCode is a code without the address around it.
var bareCode = regexp.MustCompile(`^[A-Za-z0-9._~!*-]{16,}$`)

// pasted reads what a person pasted: an address, its query, or only the code.
func pasted(line, state string) (url.Values, error) {
	line = strings.Trim(strings.TrimSpace(line), `"'<>`)
	if bareCode.MatchString(line) {
		return url.Values{"code": {line}}, nil
	}
	query := line
	if _, after, ok := strings.Cut(line, "?"); ok {
		query, _, _ = strings.Cut(after, "#")
	}
	answer, err := url.ParseQuery(query)
	if err != nil || !answer.Has("code") && !answer.Has("error") && !answer.Has("admin_consent") {
		return nil, errors.New("that is not the address of the page on which the browser ended: it has code=… in it; still waiting")
	}
	switch answer.Get("state") {
	case state:
		return answer, nil
	case "":
		return nil, errors.New("that address is cut off, its state is missing: copy all of it; still waiting")
	}
	return nil, errors.New("that address belongs to another sign-in: open the address above and paste where it ends; still waiting")
}
