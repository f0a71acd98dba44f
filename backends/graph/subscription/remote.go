package subscription

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// Remote is a subscription as the service describes it
// (https://learn.microsoft.com/graph/api/resources/subscription). Its clientState, a secret, is left out.
type Remote struct {
	ID                       string    `json:"id"`
	Resource                 string    `json:"resource"`
	ChangeType               string    `json:"changeType"`
	NotificationURL          string    `json:"notificationUrl"`
	LifecycleNotificationURL string    `json:"lifecycleNotificationUrl,omitempty"`
	Expires                  time.Time `json:"expirationDateTime"`
	ApplicationID            string    `json:"applicationId,omitempty"`
	CreatorID                string    `json:"creatorId,omitempty"`
	IncludeResourceData      bool      `json:"includeResourceData,omitempty"`
	EncryptionCertificateID  string    `json:"encryptionCertificateId,omitempty"`
}

// Draft is what a subscription is created from.
type Draft struct {
	Resource                 string    `json:"resource"`
	ChangeType               string    `json:"changeType"`
	NotificationURL          string    `json:"notificationUrl"`
	LifecycleNotificationURL string    `json:"lifecycleNotificationUrl,omitempty"`
	Expires                  time.Time `json:"expirationDateTime"`
	ClientState              string    `json:"clientState,omitempty"`
	IncludeResourceData      bool      `json:"includeResourceData,omitempty"`
	EncryptionCertificate    string    `json:"encryptionCertificate,omitempty"` // base64 of the DER
	EncryptionCertificateID  string    `json:"encryptionCertificateId,omitempty"`
	// Prefer are values of the Prefer header; IdType="ImmutableId" is always among them.
	Prefer []string `json:"-"`
}

const collection = "/subscriptions"

// List gives the subscriptions of the sign-in: an application's own, or what it made for a user. Other applications' are
// not shown.
func List(ctx context.Context, c *graph.Client) ([]Remote, error) {
	all, _, err := list(ctx, c)
	return all, err
}

// list also gives the service's time, zero where it tells none.
func list(ctx context.Context, c *graph.Client) ([]Remote, time.Time, error) {
	var first struct {
		Value []Remote `json:"value"`
		Next  string   `json:"@odata.nextLink"`
	}
	h, err := c.Send(ctx, http.MethodGet, collection, graph.Query{}, nil, &first)
	if err != nil {
		return nil, time.Time{}, err
	}
	if first.Value == nil {
		return nil, time.Time{}, fmt.Errorf("%w: the answer is no list of subscriptions", backends.ErrUnavailable)
	}
	if first.Next != "" {
		rest, err := graph.Collect[Remote](ctx, c, first.Next, graph.Query{})
		return append(first.Value, rest...), dateOf(h), err
	}
	return first.Value, dateOf(h), nil
}

// dateOf gives the service's time of an answer, zero where it tells none.
func dateOf(h http.Header) time.Time {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

// Show gives one subscription. ErrNotFound: it is gone, or another application's.
func Show(ctx context.Context, c *graph.Client, id string) (Remote, error) {
	var got Remote
	err := c.Get(ctx, graph.Path("subscriptions", id), graph.Query{}, &got)
	return got, err
}

// Create makes a subscription. The service calls its addresses before it answers.
func Create(ctx context.Context, c *graph.Client, d Draft) (Remote, error) {
	got, _, err := send(ctx, c, http.MethodPost, collection, graph.Query{Prefer: d.Prefer}, d)
	return got, err
}

// Renew has a subscription live until a time, which also reauthorizes it. ErrNotFound: it is gone.
func Renew(ctx context.Context, c *graph.Client, id string, expires time.Time) (Remote, error) {
	got, _, err := send(ctx, c, http.MethodPatch, graph.Path("subscriptions", id), graph.Query{}, change{Expires: expires})
	return got, err
}

// Delete ends a subscription. ErrNotFound: it is gone already.
func Delete(ctx context.Context, c *graph.Client, id string) error {
	_, err := c.Send(ctx, http.MethodDelete, graph.Path("subscriptions", id), graph.Query{}, nil, nil)
	return err
}

// change is what a PATCH of a subscription holds.
type change struct {
	Expires                 time.Time `json:"expirationDateTime"`
	EncryptionCertificate   string    `json:"encryptionCertificate,omitempty"`
	EncryptionCertificateID string    `json:"encryptionCertificateId,omitempty"`
}

// send makes a request whose answer is a subscription. It also gives the service's time, zero where it tells none.
func send(ctx context.Context, c *graph.Client, method, path string, q graph.Query, in any) (Remote, time.Time, error) {
	var got Remote
	h, err := c.Send(ctx, method, path, q, in, &got)
	if err != nil {
		return Remote{}, time.Time{}, err
	}
	if got.ID == "" || got.Expires.IsZero() {
		return Remote{}, time.Time{}, fmt.Errorf("%w: the answer is no subscription", backends.ErrUnavailable)
	}
	return got, dateOf(h), nil
}

// UnmarshalJSON reads an expirationDateTime without a zone as UTC, too.
func (r *Remote) UnmarshalJSON(data []byte) error {
	type plain Remote // without this method
	in := struct {
		*plain
		Expires string `json:"expirationDateTime"`
	}{plain: (*plain)(r)}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if in.Expires == "" {
		return nil
	}
	if !strings.HasSuffix(in.Expires, "Z") && !strings.ContainsAny(in.Expires[min(len(in.Expires), 19):], "+-") {
		in.Expires += "Z"
	}
	at, err := time.Parse(time.RFC3339Nano, in.Expires)
	r.Expires = at.UTC()
	return err
}
