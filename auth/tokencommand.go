package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// opaqueLasts is how long a token is used that does not tell its end.
const opaqueLasts = 5 * time.Minute

// NewCommand makes a Source of what a shell command prints: an access token alone, or JSON with access_token and expires_in in
// seconds as a token endpoint answers (RFC 6749, 5.1). Without expires_in the end is that in the token if it is a JWT, else in
// five minutes. Nothing is stored. A command that ends with exit code 75 has failed for the moment only.
func NewCommand(command string) Source {
	if strings.TrimSpace(command) == "" {
		return missing("token_command")
	}
	g := &tokenCommand{command: command}
	return &commandSource{newSource(g, nowhere{}, nil, "command", command), g}
}

// commandSource tells the grant of refused tokens, since the command may print one again.
type commandSource struct {
	*source
	grant *tokenCommand
}

// Invalidate implements Source.
func (s *commandSource) Invalidate(token string) {
	s.grant.refuse(token)
	s.source.Invalidate(token)
}

// Challenge implements Source. Claims mean nothing to the command.
func (s *commandSource) Challenge(token, _ string) { s.Invalidate(token) }

// tokenCommand is a grant.
type tokenCommand struct {
	command string

	mu      sync.Mutex
	refused string
}

func (t *tokenCommand) refuse(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = token
}

func (t *tokenCommand) renew(ctx context.Context, _ *http.Client, _ *Credentials, _ string) (issued, error) {
	asked := time.Now()
	out, err := runCommand(ctx, "token_command", t.command)
	if err != nil {
		return issued{}, err
	}
	token, err := printed(strings.TrimSpace(out), asked)
	if err != nil {
		return issued{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case token.value == t.refused:
		return issued{}, &Error{Kind: Denied, Action: "the service refuses the token that token_command prints"}
	case !token.good(time.Now()):
		return issued{}, broken(nil, "token_command prints a token that has expired")
	}
	return token, nil
}

// printed reads what a token_command printed.
func printed(out string, asked time.Time) (issued, error) {
	nonsense := broken(nil, "token_command must print an access token, or JSON with access_token and expires_in")
	var answer struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	if strings.HasPrefix(out, "{") {
		if json.Unmarshal([]byte(out), &answer) != nil { // whose message may quote it
			return issued{}, nonsense
		}
	} else {
		answer.AccessToken = out
	}
	if answer.AccessToken == "" || strings.ContainsFunc(answer.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return issued{}, nonsense
	}
	token := issued{answer.AccessToken, asked, asked.Add(opaqueLasts)}
	if seconds, err := answer.ExpiresIn.Float64(); err == nil && seconds > 0 {
		token.expiry = asked.Add(time.Duration(min(seconds, 7*24*3600) * float64(time.Second)))
		return token, nil
	}
	// Its signature is the service's business; its end only says when to ask again.
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(answer.AccessToken, &claims); err == nil && claims.ExpiresAt != nil {
		token.expiry = claims.ExpiresAt.Time
	}
	return token, nil
}

func (t *tokenCommand) rotates() bool { return false }
func (t *tokenCommand) stamp() string { return "" }
func (t *tokenCommand) bare() bool    { return true }

func (t *tokenCommand) life(Credentials) (Life, error) { return Life{By: ByCommand}, nil }

// nowhere is a Store for what is not stored.
type nowhere struct{}

func (nowhere) Load() (Credentials, error) { return Credentials{}, nil }
func (nowhere) Update(_ context.Context, fn func(*Credentials) error) error {
	return fn(&Credentials{})
}
func (nowhere) Create(context.Context, Credentials) error { return nil }
func (nowhere) Delete(context.Context) error              { return nil }
func (nowhere) String() string                            { return "nowhere" }
