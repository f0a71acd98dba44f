package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

// boxSubscriptions are the webhooks of a Box connection: those that its application made for its user
// (https://developer.box.com/guides/webhooks/v2).
type boxSubscriptions struct{ client *rest.Client }

const (
	boxWebhooks = "/2.0/webhooks"
	// boxPage is how many are listed at a time.
	boxPage = "200"
)

// boxWebhook is a webhook. In a list it has id and target only.
type boxWebhook struct {
	ID       string    `json:"id"`
	Target   boxTarget `json:"target"`
	Address  string    `json:"address"`
	Triggers []string  `json:"triggers"`
	Created  time.Time `json:"created_at"`
}

type boxTarget struct {
	ID   string `json:"id"`
	Type string `json:"type"` // "folder" or "file"
}

func (s boxSubscriptions) list(ctx context.Context) ([]subscriptionInfo, error) {
	list := []subscriptionInfo{}
	for marker := ""; ; {
		query := url.Values{"limit": {boxPage}}
		if marker != "" {
			query.Set("marker", marker)
		}
		var page struct {
			Entries []boxWebhook `json:"entries"`
			Next    string       `json:"next_marker"`
		}
		if err := s.client.JSON(ctx, boxWebhooks+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		for _, w := range page.Entries {
			list = append(list, w.info())
		}
		if page.Next == "" {
			return list, nil
		}
		if page.Next == marker {
			return nil, fmt.Errorf("%w: Box's pages go in a circle", backends.ErrUnavailable)
		}
		marker = page.Next
	}
}

func (s boxSubscriptions) show(ctx context.Context, id string) (subscriptionInfo, error) {
	var w boxWebhook
	err := s.client.JSON(ctx, boxWebhooks+"/"+url.PathEscape(id), nil, &w)
	return w.info(), err
}

func (s boxSubscriptions) create(ctx context.Context, d subscriptionDraft) (subscriptionInfo, error) {
	kind, id, ok := strings.Cut(d.target, ":")
	if !ok || id == "" || kind != "folder" && kind != "file" {
		return subscriptionInfo{}, withCode(codeUsage, fmt.Errorf("target is %q: it must be folder:ID or file:ID", d.target))
	}
	if len(d.triggers) == 0 || d.address == "" || d.resource != "" || d.lifecycle != "" || d.clientState != "" {
		return subscriptionInfo{}, withCode(codeUsage, errors.New("a box connection needs --target, --triggers and --address, and nothing else"))
	}
	body, err := json.Marshal(map[string]any{"target": boxTarget{ID: id, Type: kind}, "address": d.address, "triggers": d.triggers})
	if err != nil {
		return subscriptionInfo{}, err
	}
	res, err := s.client.Do(ctx, http.MethodPost, boxWebhooks, http.Header{"Content-Type": {"application/json"}}, body)
	if err != nil {
		return subscriptionInfo{}, err
	}
	var w boxWebhook
	if err := json.Unmarshal(res.Body, &w); err != nil {
		return subscriptionInfo{}, fmt.Errorf("%w: Box's answer can't be read: %w", backends.ErrUnavailable, err)
	}
	return w.info(), nil
}

func (s boxSubscriptions) renew(context.Context, string, time.Time) (subscriptionInfo, error) {
	return subscriptionInfo{}, withCode(codeUsage, errors.New("webhooks of Box have no end that could be put off: they live until they are deleted, or for 30 days without a successful delivery"))
}

func (s boxSubscriptions) delete(ctx context.Context, id string) error {
	_, err := s.client.Do(ctx, http.MethodDelete, boxWebhooks+"/"+url.PathEscape(id), nil, nil)
	return err
}

func (w *boxWebhook) info() subscriptionInfo {
	return subscriptionInfo{
		ID: w.ID, Resource: w.Target.Type + ":" + w.Target.ID, Changes: w.Triggers, Address: w.Address, Created: w.Created.UTC(),
	}
}
