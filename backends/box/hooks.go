package box

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

// hooks are the webhooks on the top-level folders of views that somebody looked at. They tell sooner what the events of the
// enterprise tell anyway, so a failure here costs speed and nothing else. The view of the signed-in user needs none: its
// long poll is as fast.
type hooks struct {
	b       *Backend
	sink    backends.Sink // for Memory
	refresh chan<- hint
	address string
	wake    chan struct{}
	seen    *recent[struct{}] // deliveries by the id in their body

	mu      sync.Mutex
	byID    map[string]hook      // what this program has made
	wanted  map[hook]bool        // to be made
	checked map[string]time.Time // when Box was asked which ones a view has
	rooted  map[string]bool      // views whose top-level folders have been told
}

// hook is what a webhook is for.
type hook struct {
	View   string `json:"view"`
	Folder string `json:"folder"`
}

const (
	// hooksMemory is where Memory keeps the webhooks, for the next start to adopt those that a crash has left.
	hooksMemory = "box/webhooks"
	// mostHooks bounds the webhooks of one view. Box allows 1000 for each app and user.
	mostHooks = 300
	// checkHooks is how often a view that is looked at is asked for its webhooks, which Box removes for several reasons.
	checkHooks = time.Hour
	// farewell is how long the removal of the webhooks may take in the end.
	farewell = 10 * time.Second
	// hintsAhead is how many hints may wait. What is lost is learnt from the events.
	hintsAhead = 1000
)

// hookTriggers are those that change what is shown (developer.box.com/guides/webhooks/triggers).
var hookTriggers = []string{
	"FILE.UPLOADED", "FILE.TRASHED", "FILE.DELETED", "FILE.RESTORED", "FILE.COPIED", "FILE.MOVED", "FILE.RENAMED", "FILE.LOCKED", "FILE.UNLOCKED",
	"FOLDER.CREATED", "FOLDER.TRASHED", "FOLDER.DELETED", "FOLDER.RESTORED", "FOLDER.COPIED", "FOLDER.MOVED", "FOLDER.RENAMED",
}

// newHooks gives nil where webhooks are of no use: nobody can deliver them, or nobody can tell whether Box did.
func newHooks(b *Backend, sink backends.Sink, refresh chan<- hint) *hooks {
	if b.cfg.Receiver == nil || b.cfg.EnterpriseContent {
		return nil // without acting as others, all webhooks would be of one user, who may have 1000
	}
	if !slices.ContainsFunc(b.cfg.WebhookKeys, func(key string) bool { return key != "" }) {
		b.log("webhooks of Box are not used: without the app's signature keys nobody could tell who sends them")
		return nil
	}
	h := &hooks{
		b: b, sink: sink, refresh: refresh, wake: make(chan struct{}, 1), seen: newRecent[struct{}](seenEvents),
		byID: map[string]hook{}, wanted: map[hook]bool{}, checked: map[string]time.Time{},
		rooted: map[string]bool{},
	}
	if v, ok := sink.Get(hooksMemory); ok && json.Unmarshal(v, &h.byID) != nil {
		h.byID = map[string]hook{}
	}
	return h
}

// root tells of all top-level folders of a view.
func (h *hooks) root(view string, entries []backends.Entry) {
	var folders []string
	for _, e := range entries {
		if e.IsDir {
			folders = append(folders, e.Info.ServiceID)
		}
	}
	h.mu.Lock()
	h.rooted[view] = true
	h.mu.Unlock()
	h.want(view, folders...)
}

// want has a view's webhooks checked when it is time to, and some of its top-level folders watched.
func (h *hooks) want(view string, folders ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.checked[view]; ok && len(folders) == 0 && h.b.cfg.Now().Sub(at) < checkHooks {
		return
	}
	if len(h.checked) >= mostViews {
		clear(h.checked)
	}
	if _, ok := h.checked[view]; !ok {
		h.checked[view] = time.Time{}
	}
	room := mostHooks
	for other := range h.wanted {
		if other.View == view {
			room--
		}
	}
	for _, k := range h.byID {
		if k.View == view {
			room--
		}
	}
	for _, f := range folders {
		k := hook{view, f}
		if room > 0 && !h.wanted[k] && !h.has(k) {
			h.wanted[k] = true
			room--
		}
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// has tells whether there is such a webhook; mu is held.
func (h *hooks) has(k hook) bool {
	for _, have := range h.byID {
		if have == k {
			return true
		}
	}
	return false
}

// run keeps the webhooks until ctx ends, then removes them.
func (h *hooks) run(ctx context.Context) {
	address, release := h.b.cfg.Receiver.Handle("box/"+h.b.Scope(), h)
	defer release()
	h.address = address
	defer h.removeAll(context.WithoutCancel(ctx))
	back := backoff{first: h.b.cfg.Backoff}
	for {
		select {
		case <-h.wake:
		case <-ctx.Done():
			return
		}
		if err := h.make(backends.WithPriority(ctx, backends.Bulk)); err != nil && ctx.Err() == nil {
			h.b.log("webhooks of Box can't be made", "error", err)
			if backends.Temporary(err) {
				back.wait(ctx)
				h.again()
				continue
			}
		}
		back.reset()
	}
}

func (h *hooks) again() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// make checks the views whose time it is, and makes what is wanted.
func (h *hooks) make(ctx context.Context) error {
	var views []string
	h.mu.Lock()
	for view, at := range h.checked {
		if h.b.cfg.Now().Sub(at) >= checkHooks {
			views = append(views, view)
		}
	}
	h.mu.Unlock()
	var failed error
	for _, view := range views {
		failed = errors.Join(failed, h.check(ctx, view))
	}
	h.mu.Lock()
	wanted := slices.Collect(maps.Keys(h.wanted))
	h.mu.Unlock()
	for _, k := range wanted {
		if err := h.create(ctx, k); err != nil {
			failed = errors.Join(failed, err)
			if backends.Temporary(err) {
				continue
			}
		}
		h.mu.Lock()
		delete(h.wanted, k)
		h.mu.Unlock()
	}
	return failed
}

// webhook is one as Box lists it, without the address, or gives it.
type webhook struct {
	ID      text                          `json:"id"`
	Target  part[struct{ ID, Type text }] `json:"target"`
	Address text                          `json:"address"`
}

// check compares what this program has made with what Box has. Those that are gone are wanted again, those of an earlier run
// that Memory does not know are adopted.
func (h *hooks) check(ctx context.Context, view string) error {
	there := map[string]webhook{}
	err := h.b.byMarker(ctx, "/webhooks?", view, func(raw json.RawMessage) error {
		var w webhook
		if json.Unmarshal(raw, &w) == nil && w.ID != "" && w.Target.V.Type == "folder" {
			there[string(w.ID)] = w
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id, w := range there {
		h.mu.Lock()
		_, known := h.byID[id]
		h.mu.Unlock()
		if known {
			continue
		}
		full, err := h.get(ctx, view, id)
		if err != nil && !errors.Is(err, backends.ErrNotFound) {
			return err
		}
		if err == nil && string(full.Address) == h.address {
			h.adopt(id, hook{view, string(w.Target.V.ID)})
		}
	}
	h.mu.Lock()
	rooted := h.rooted[view]
	h.mu.Unlock()
	if !rooted { // its root is remembered from an earlier mount
		entries, err := h.b.readFolder(ctx, view, "0")
		if err != nil {
			return err
		}
		h.root(view, entries)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, k := range h.byID {
		if _, ok := there[id]; !ok && k.View == view {
			delete(h.byID, id)
			h.wanted[k] = true
		}
	}
	h.checked[view] = h.b.cfg.Now()
	h.keep()
	return nil
}

func (h *hooks) get(ctx context.Context, view, id string) (w webhook, err error) {
	err = h.b.rest.JSON(ctx, "/webhooks/"+url.PathEscape(id), h.b.as(view), &w)
	return w, err
}

func (h *hooks) adopt(id string, k hook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byID[id] = k
	delete(h.wanted, k)
	h.keep()
}

// keep writes down what there is; mu is held.
func (h *hooks) keep() {
	v, err := json.Marshal(h.byID)
	if err == nil {
		err = h.sink.Put(hooksMemory, v)
	}
	if err != nil {
		h.b.log("the webhooks of Box can't be noted", "error", err)
	}
}

// create makes a webhook. One that is there already and goes elsewhere belongs to another installation of the same app, and
// is left alone.
func (h *hooks) create(ctx context.Context, k hook) error {
	h.mu.Lock()
	have := h.has(k)
	h.mu.Unlock()
	if have {
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"target": map[string]string{"id": k.Folder, "type": "folder"}, "address": h.address, "triggers": hookTriggers,
	})
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// One that is made and not noted could not be removed in the end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	res, err := h.b.rest.Do(ctx, http.MethodPost, "/webhooks", h.b.as(k.View), body)
	var refused *rest.Error
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusConflict:
		return errors.New("another installation of the app has a webhook on folder " + k.Folder)
	case errors.Is(err, backends.ErrNotFound):
		return nil // it has gone
	case err != nil:
		return err
	}
	var made webhook
	if err := json.Unmarshal(res.Body, &made); err != nil || made.ID == "" {
		return errUnusable
	}
	h.adopt(string(made.ID), k)
	return nil
}

// removeAll takes back the webhooks. What is left after farewell is adopted at the next start.
func (h *hooks) removeAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	h.mu.Lock()
	all := maps.Clone(h.byID)
	h.mu.Unlock()
	var work errgroup.Group
	work.SetLimit(asksAtOnce)
	for id, k := range all {
		work.Go(func() error {
			_, err := h.b.rest.Do(ctx, http.MethodDelete, "/webhooks/"+url.PathEscape(id), h.b.as(k.View), nil)
			if err != nil && !errors.Is(err, backends.ErrNotFound) {
				h.b.log("a webhook of Box is left", "id", id, "error", err)
				return nil
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.byID, id)
			return nil
		})
	}
	_ = work.Wait() // every failure is in the log
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep()
}
