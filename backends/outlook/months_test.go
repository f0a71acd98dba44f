package outlook

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestMonths(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-30T23:59:59Z":      "2026-11",
		"2026-12-01T00:30:00+01:00": "2026-11",
		"0001-01-01T00:00:00Z":      "undated",
		"1899-12-31T23:59:59Z":      "undated",
		"1900-01-01T00:00:00Z":      "1900-01",
		"2199-12-31T23:59:59Z":      "2199-12",
		"2200-01-01T00:00:00Z":      "undated",
		"9999-01-01T00:00:00Z":      "undated",
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		m := monthOf(at)
		if m.String() != want {
			t.Errorf("month of %s is %s, want %s", text, m, want)
		}
		if back, ok := parseMonth(want); !ok || back != m {
			t.Errorf("%s reads as %d, want %d", want, back, m)
		}
		if m != 0 && (at.Before(m.start()) || at.After(m.lastSecond().Add(time.Second-1))) {
			t.Errorf("%s is not between %s and %s", text, m.start(), m.lastSecond())
		}
	}
	for _, bad := range []string{"", "2026", "2026-13", "2026-1", "1700-01", "2026-11-01", "x"} {
		if _, ok := parseMonth(bad); ok {
			t.Errorf("%q reads as a month", bad)
		}
	}
}

func TestShownMonths(t *testing.T) {
	at := func(texts ...string) map[month]bool {
		out := map[month]bool{}
		for _, s := range texts {
			m, ok := parseMonth(s)
			if !ok {
				t.Fatalf("%q is no month", s)
			}
			out[m] = true
		}
		return out
	}
	text := func(ms []month) string { return fmt.Sprint(ms) }
	for _, c := range []struct {
		in   map[month]bool
		want string
	}{
		{at(), "[]"},
		{at("undated"), "[]"},
		{at("2026-11", "undated"), "[2026-11]"},
		{at("2025-12", "2026-03"), "[2025-12 2026-01 2026-02 2026-03]"},
	} {
		if got := text(shown(c.in)); got != c.want {
			t.Errorf("%v shows %s, want %s", c.in, got, c.want)
		}
	}
	// 24 empty months between are shown, 25 are not.
	if got := len(shown(at("2020-01", "2022-02"))); got != 26 {
		t.Errorf("a gap of 24 months shows %d months, want 26", got)
	}
	if got := text(shown(at("2020-01", "2022-03"))); got != "[2020-01 2022-03]" {
		t.Errorf("a gap of 25 months shows %s", got)
	}
}

func TestKeysJoinAndSplit(t *testing.T) {
	parts := []string{"folder", "address:a|b%7C@x", "AAMk=-_", ""}
	if got := split(join(parts...)); !slices.Equal(got, parts) {
		t.Errorf("%q comes back as %q", parts, got)
	}
	if join("a|b", "c") == join("a", "b|c") {
		t.Error("different parts make one key")
	}
}

func TestFlightNeverJoinsWhatHasBegun(t *testing.T) {
	var f flight
	var mu sync.Mutex
	runs := 0
	begun, release := make(chan struct{}, 10), make(chan struct{})
	work := func(context.Context) error {
		mu.Lock()
		runs++
		mu.Unlock()
		begun <- struct{}{}
		<-release
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.do(context.Background(), work) })
	<-begun
	for range 5 {
		wg.Go(func() { _ = f.do(context.Background(), work) })
	}
	for {
		f.mu.Lock()
		n := f.next
		waiting := n != nil && n.waiters == 5
		f.mu.Unlock()
		if waiting {
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	if runs != 2 {
		t.Errorf("%d runs, want 2: one that had begun and one for the five others", runs)
	}
}

func TestFlightEndsWithItsLastWaiter(t *testing.T) {
	var f flight
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	begun := make(chan struct{})
	go func() {
		<-begun
		cancel()
	}()
	err := f.do(ctx, func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	})
	if err == nil {
		t.Error("an interrupted waiter got no error")
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("nobody waits and yet the run goes on")
	}
}

func TestFindLink(t *testing.T) {
	body := `<p>See <a href="https://example.com/other">Other</a> and
		<a class=x href="https://contoso.sharepoint.com/:x:/p/Bob?e=1&amp;a=2" data-y="1"><span>Budget
		2026.xlsx</span></a>, <a href="https://contoso.sharepoint.com/sites/x/Plan%20B.docx">here</a>,
		<a href="javascript:alert(1)">evil.docx</a></p>`
	for name, want := range map[string]string{
		"Budget 2026.xlsx": "https://contoso.sharepoint.com/:x:/p/Bob?e=1&a=2",
		"Plan B.docx":      "https://contoso.sharepoint.com/sites/x/Plan%20B.docx",
		"evil.docx":        "",
		"":                 "",
		"absent":           "",
	} {
		if got := findLink(body, name); got != want {
			t.Errorf("link of %q is %q, want %q", name, got, want)
		}
	}
}

func TestItemExtension(t *testing.T) {
	for _, c := range []struct{ itemType, contentType, name, want string }{
		{"", "", "Re: plan", ".eml"},
		{"", "message/rfc822", "x", ".eml"},
		{"", "text/calendar; charset=utf-8", "x", ".ics"},
		{"", "text/vcard", "Bob", ".vcf"},
		{"", "", "Bob.VCF", ".vcf"},
		{"#microsoft.graph.event", "", "Kick-off", ".ics"},
		{"#microsoft.graph.contact", "", "Bob Jones", ".vcf"},
		{"#microsoft.graph.eventMessageRequest", "", "invite.ics", ".eml"},
	} {
		if got := itemExtension(c.itemType, c.contentType, c.name); got != c.want {
			t.Errorf("%q %q %q is %s, want %s", c.itemType, c.contentType, c.name, got, c.want)
		}
	}
	if got := withExtension("a.EML", ".eml"); got != "a.EML" {
		t.Errorf("extension is doubled: %s", got)
	}
}
