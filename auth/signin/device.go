package signin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/workfs/workfs/auth"
)

// Device is what a person needs to sign in on another device.
type Device struct {
	// Message is the service's own sentence in full, in its language. Code and Address are the parts of it.
	Message, Code, Address string
	// Expires is when it is too late.
	Expires time.Time
}

// maxDeviceAnswer bounds the answer of the device authorization endpoint in bytes.
const maxDeviceAnswer = 64 << 10

// Device signs a person in by a code that is typed on any device with a browser (RFC 8628; Microsoft identity platform, OAuth
// 2.0 device authorization grant). show tells the person, and must not block. Errors are *auth.Error or the context's.
func (m Microsoft) Device(ctx context.Context, a Ask, show func(Device)) (Result, error) {
	cfg := m.config(a, "")
	device, code, interval, err := m.startDevice(ctx, cfg)
	if err != nil {
		return Result{}, err
	}
	show(device)
	var cancel context.CancelFunc
	polls, cancel := context.WithDeadline(context.WithValue(ctx, oauth2.HTTPClient, client(m.Transport)), device.Expires)
	defer cancel()
	for {
		options, err := m.proof()
		if err != nil {
			return Result{}, err
		}
		token, err := cfg.DeviceAccessToken(polls, &oauth2.DeviceAuthResponse{DeviceCode: code, Interval: interval}, options...)
		var refused *oauth2.RetrieveError
		_, busy := busyFor(err)
		switch {
		case err == nil:
			return m.result(token, "")
		case ctx.Err() != nil:
			return Result{}, ctx.Err()
		case polls.Err() != nil:
			return Result{}, auth.MicrosoftRefusal("expired_token", "", nil)
		case !busy && errors.As(err, &refused):
			return Result{}, failure(ctx, err, auth.MicrosoftRefusal)
		}
		// The network failed for once, and nothing was decided. RFC 8628, 3.5 asks to go slower.
		interval = min(2*interval, 60)
	}
}

// startDevice asks for a code. x/oauth2 has this request, too, but without the message, which Entra asks to show.
func (m Microsoft) startDevice(ctx context.Context, cfg *oauth2.Config) (d Device, code string, interval int64, err error) {
	form := url.Values{"client_id": {m.ClientID}, "scope": {strings.Join(cfg.Scopes, " ")}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Endpoint("/oauth2/v2.0/devicecode"), strings.NewReader(form.Encode()))
	if err != nil {
		return d, "", 0, nonsense("its address is malformed")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	res, err := client(m.Transport).Do(req)
	if err != nil {
		return d, "", 0, failure(ctx, err, auth.MicrosoftRefusal)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDeviceAnswer))
	if err != nil {
		return d, "", 0, unreachable(err)
	}
	var answer struct {
		Device   string      `json:"device_code"`
		User     string      `json:"user_code"`
		Address  string      `json:"verification_uri"`
		Message  string      `json:"message"`
		Expires  json.Number `json:"expires_in"`
		Interval json.Number `json:"interval"`
		Error    string      `json:"error"`
		Text     string      `json:"error_description"`
	}
	badJSON := json.Unmarshal(body, &answer) != nil
	if res.StatusCode != http.StatusOK || badJSON {
		refused := &oauth2.RetrieveError{Response: res, Body: body, ErrorCode: answer.Error, ErrorDescription: answer.Text}
		return d, "", 0, failure(ctx, refused, auth.MicrosoftRefusal)
	}
	if answer.Device == "" || answer.User == "" || answer.Address == "" {
		return d, "", 0, nonsense("it gives no code for a device")
	}
	life, err := answer.Expires.Float64()
	if err != nil || life <= 0 {
		life = 900 // what Entra gives
	}
	if interval, err = answer.Interval.Int64(); err != nil || interval <= 0 {
		interval = 5 // RFC 8628, 3.2
	}
	d = Device{
		Message: answer.Message, Code: answer.User, Address: answer.Address,
		Expires: time.Now().Add(time.Duration(min(life, 86400) * float64(time.Second))),
	}
	return d, answer.Device, interval, nil
}
