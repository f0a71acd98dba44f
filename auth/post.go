package auth

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	postTries = 3
	// maxAnswer bounds a token endpoint's answer in bytes; real ones have a few kilobytes.
	maxAnswer = 1 << 20
	// longestWait is what a Retry-After may ask for before the renewal is given up as throttled.
	longestWait = 20 * time.Second
)

// answer is what a token endpoint says (RFC 6749, 5.1 and 5.2, with Entra's additions).
type answer struct {
	AccessToken  string      `json:"access_token"`
	RefreshToken string      `json:"refresh_token"`
	ExpiresIn    json.Number `json:"expires_in"`
	Scope        string      `json:"scope"`

	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`

	status int
	off    time.Duration // how far this machine's clock is ahead of the service's, 0 if it does not say
}

// post sends a form to a token endpoint and returns its answer, be it a token or a refusal. Busy services and broken
// connections are tried again, each time with a form of its own because signed assertions are good for one request. Where a single-use refresh token was spent by an answer that got lost, that ends in a
// refusal, which is the truth.
func post(ctx context.Context, client *http.Client, endpoint string, form func() (url.Values, error)) (answer, error) {
	var last error
	sent := false
	for try := range postTries {
		if try > 0 {
			wait := time.Duration(float64(200*time.Millisecond) * float64(int(1)<<try) * (0.5 + rand.Float64()))
			var busy *busyError
			if errors.As(last, &busy) && busy.after > 0 {
				wait = busy.after
			}
			deadline, ok := ctx.Deadline()
			if wait > longestWait || ok && time.Until(deadline) < wait {
				break
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				last = ctx.Err()
			}
			if ctx.Err() != nil {
				break
			}
		}
		fields, err := form()
		if err != nil {
			return answer{}, err
		}
		a, err := postOnce(ctx, client, endpoint, fields)
		if err == nil {
			return a, nil
		}
		last = err
		sent = sent || !notSent(err)
		var untrusted *tls.CertificateVerificationError
		if ctx.Err() != nil || errors.As(err, &untrusted) {
			break
		}
	}
	var busy *busyError
	if errors.As(last, &busy) && busy.status == http.StatusTooManyRequests {
		return answer{}, &Error{Kind: Throttled, Action: "the sign-in service asks to wait", Err: last, after: busy.after}
	}
	failure := unreachable(last)
	failure.unsent = !sent
	return answer{}, failure
}

// notSent tells a failure that came before any of the request was sent.
func notSent(err error) bool {
	var op *net.OpError
	var untrusted *tls.CertificateVerificationError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &untrusted)
}

func unreachable(err error) *Error {
	// A *url.Error repeats the address, which is long and says nothing that the configuration does not.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &Error{Kind: Unreachable, Action: "the sign-in service can't be reached", Err: err}
}

// busyError is an answer that says nothing about the grant, and that nothing was done.
type busyError struct {
	status int
	after  time.Duration
}

func (b *busyError) Error() string { return "it answered with status " + strconv.Itoa(b.status) }

func postOnce(ctx context.Context, client *http.Client, endpoint string, form url.Values) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, errors.New("its address is malformed")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, err
	}
	if res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500 {
		seconds, _ := strconv.ParseFloat(res.Header.Get("Retry-After"), 64)
		return answer{}, &busyError{res.StatusCode, time.Duration(max(0, min(seconds, 3600)) * float64(time.Second))}
	}
	a := answer{status: res.StatusCode}
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		a.off = time.Since(date)
	}
	err = json.Unmarshal(body, &a)
	switch {
	case res.StatusCode == http.StatusOK && (err != nil || a.AccessToken == ""):
		return answer{}, errors.New("its answer holds no token")
	case res.StatusCode != http.StatusOK && (err != nil || a.Error == ""):
		return answer{}, errors.New("it answered with status " + strconv.Itoa(res.StatusCode))
	}
	return a, nil
}

// token gives the access token of a successful answer.
func (a answer) token(asked time.Time) issued {
	seconds, err := a.ExpiresIn.Float64()
	if err != nil || seconds <= 0 || seconds > 7*24*3600 {
		seconds = 3600
	}
	return issued{a.AccessToken, asked, asked.Add(time.Duration(seconds * float64(time.Second)))}
}
