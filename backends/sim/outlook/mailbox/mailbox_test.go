package mailbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newMailbox() *Mailbox {
	return New("u1", "11111111-2222-4333-8444-555555555555", func() time.Time { return epoch }, nil)
}

func TestIDs(t *testing.T) {
	c := NewCodec("11111111-2222-4333-8444-555555555555")
	other := NewCodec("21111111-2222-4333-8444-555555555555")
	seen := map[string]Ref{}
	for _, r := range []Ref{
		{Kind: KindMessage, Folder: 7, Moves: 1, Key: 5}, {Kind: KindMessage, Folder: 7, Moves: 2, Key: 5}, {Kind: KindMessage, Folder: 8, Moves: 1, Key: 5},
		{Kind: KindMessage, Immutable: true, Key: 5}, {Kind: KindMessage, Immutable: true, Key: 5, Sub: 1}, {Kind: KindEvent, Immutable: true, Key: 5, Sub: 1, Day: true},
		{Kind: KindMailFolder, Key: 1 << 60}, {Kind: KindCalendar, Key: 5},
	} {
		id := c.ID(r)
		if twin, ok := seen[id]; ok {
			t.Errorf("%+v and %+v have one id", r, twin)
		}
		seen[id] = r
		if got, ok := c.Ref(id); !ok || got != r {
			t.Errorf("%+v came back as %+v, %v", r, got, ok)
		}
		for _, bad := range []string{strings.ToLower(id), id + "A", id[1:], strings.TrimRight(id, "="), id[:len(id)-4] + "AAB=", ""} {
			if _, ok := c.Ref(bad); ok {
				t.Errorf("%q is taken for an id", bad)
			}
		}
		if _, ok := other.Ref(id); ok {
			t.Error("an id of another mailbox is taken")
		}
	}
	item := c.ID(Ref{Kind: KindMessage, Folder: 7, Key: 5})
	if len(item) != 152 || !strings.HasPrefix(item, "AAMk") || !strings.HasSuffix(item, "AAA=") {
		t.Errorf("an item's id is %q", item)
	}
	a, b := c.ID(Ref{Kind: KindMessage, Folder: 7, Key: 1}), c.ID(Ref{Kind: KindMessage, Folder: 7, Key: 27})
	if a == b || !strings.EqualFold(a, b) {
		t.Errorf("%q and %q must differ only by case", a, b)
	}
}

func TestIndex(t *testing.T) {
	mb := newMailbox()
	inbox := mb.Folder("inbox")
	// In no order, with ties.
	for i := range 200 {
		at := epoch.Add(time.Duration(i*7919%50) * time.Minute)
		if _, err := mb.AddMessage(inbox, &Message{Received: at, Content: func() *Content { return &Content{Subject: fmt.Sprint(i)} }}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(n int) {
		t.Helper()
		index := inbox.Messages()
		if len(index) != n || inbox.Unread != n || len(mb.All()) != n+len(mb.Folder("archive").Messages()) {
			t.Fatalf("%d messages, %d unread, %d in all, want %d", len(index), inbox.Unread, len(mb.All()), n)
		}
		for i, m := range index {
			if i > 0 && !index[i-1].before(m.Received, m.Key) {
				t.Fatalf("out of order at %d", i)
			}
			if index.Position(m.Received, m.Key) != i {
				t.Fatalf("position of %d is %d", i, index.Position(m.Received, m.Key))
			}
		}
	}
	check(200)
	if i := inbox.Messages().At(epoch.Add(25 * time.Minute)); i != 100 {
		t.Errorf("half of them lie before the middle, got %d", i)
	}
	for i := range 50 {
		if _, err := mb.MoveMessage(inbox.Messages()[i*2%len(inbox.Messages())].Ref(false), mb.Folder("archive")); err != nil {
			t.Fatal(err)
		}
	}
	check(150)
}

func TestRules(t *testing.T) {
	mb := newMailbox()
	inbox, archive := mb.Folder("inbox"), mb.Folder("archive")
	f, err := mb.AddFolder(mb.Root, "Name", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	child, err := mb.AddFolder(f, "Child", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	search, err := mb.AddFolder(mb.Root, "Search", false, &Search{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mb.AddMessage(inbox, &Message{Content: func() *Content { return &Content{} }})
	if err != nil {
		t.Fatal(err)
	}
	stale := m.Ref(false)
	if _, err := mb.MoveMessage(stale, archive); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"a second folder of that name": func() error { _, err := mb.AddFolder(mb.Root, "nAME", false, nil); return err }(),
		"renaming to a sibling's name": mb.RenameFolder(search, "name"),
	} {
		if !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"moving below itself":         mb.MoveFolder(f, child),
		"renaming a system folder":    mb.RenameFolder(inbox, "x"),
		"deleting a system folder":    mb.DeleteFolder(inbox, false),
		"a folder in a search folder": func() error { _, err := mb.AddFolder(search, "x", false, nil); return err }(),
		"a move to a search folder":   func() error { _, err := mb.MoveMessage(m.Ref(false), search); return err }(),
	} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := mb.UpdateMessage(stale, func(*Message) error { return nil }); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stale reference: %v", err)
	}
	if len(inbox.Log.Since(0)) != 2 || len(inbox.Log.Since(inbox.Log.Last())) != 0 {
		t.Errorf("the Inbox's log is %v", inbox.Log.Since(0))
	}
	// Deleting a folder twice ends it with all inside.
	if _, err := mb.MoveMessage(m.Ref(false), child); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := mb.DeleteFolder(f, false); err != nil {
			t.Fatal(err)
		}
	}
	if mb.FolderByKey(child.Key) != nil || mb.MessageByRef(Ref{Kind: KindMessage, Immutable: true, Key: m.Key}) != nil || len(mb.All()) != 0 {
		t.Error("what lay in a deleted folder is still there")
	}
}
