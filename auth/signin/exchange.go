package signin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"github.com/workfs/workfs/auth"
)

// exchangeTries bounds how often a busy token endpoint is asked. Box's codes are good for 30 seconds.
const exchangeTries = 3

// exchange redeems a code. A service that is busy has not spent it, and is asked again.
func exchange(ctx context.Context, cfg *oauth2.Config, client *http.Client, code string, options ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	for try := 1; ; try++ {
		token, err := cfg.Exchange(ctx, code, options...)
		wait, busy := busyFor(err)
		if !busy || try == exchangeTries {
			return token, err
		}
		select {
		case <-time.After(min(wait, 5*time.Second)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// busyFor tells whether a service answered that it can't answer, and how long it asks to wait.
func busyFor(err error) (time.Duration, bool) {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response == nil {
		return 0, false
	}
	if status := refused.Response.StatusCode; status != http.StatusTooManyRequests && status < 500 {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(refused.Response.Header.Get("Retry-After"), 64)
	if err != nil || seconds < 0 {
		seconds = 1
	}
	return time.Duration(min(seconds, 3600) * float64(time.Second)), true
}

// failure puts what came instead of a token into words. refusal words what the service says.
func failure(ctx context.Context, err error, refusal func(code, description string, numbers []int) *auth.Error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused *oauth2.RetrieveError
	if _, busy := busyFor(err); busy {
		errors.As(err, &refused)
		return unreachable(errors.New("it answered with status " + strconv.Itoa(refused.Response.StatusCode)))
	}
	if errors.As(err, &refused) {
		if refused.ErrorCode == "" {
			return unreachable(errors.New("it answered with status " + strconv.Itoa(refused.Response.StatusCode)))
		}
		var more struct {
			Codes []int `json:"error_codes"`
		}
		_ = json.Unmarshal(refused.Body, &more) // there need not be any
		return refusal(refused.ErrorCode, refused.ErrorDescription, more.Codes)
	}
	// The address says nothing that the configuration does not.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return unreachable(err)
}

func unreachable(err error) error {
	return &auth.Error{Kind: auth.Unreachable, Action: "the sign-in service can't be reached", Err: err}
}

// nonsense is for answers that a sign-in service does not give.
func nonsense(what string) error {
	return &auth.Error{Kind: auth.Unreachable, Action: "the sign-in service answered nonsense", Err: errors.New(what)}
}
