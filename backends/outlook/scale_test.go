package outlook

import (
	"testing"

	"github.com/workfs/workfs/backends/graph"
)

// TestScale checks the budgets of a folder with 20,000 messages over ten years.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 20,000 messages")
	}
	const messages = 20000
	c := newCloud(t, messages)
	m := c.mount(sign{})
	m.atMost(3, "ls of the months", func() {
		if got := m.months(inbox); len(got) < 119 || len(got) > 122 {
			t.Errorf("%d months in ten years", len(got))
		}
	})
	m.atMost(1+2, "one month", func() { m.list(inbox + "/2020-05") })

	cold := c.mount(sign{})
	n, routes := cold.counted(func() {
		all := cold.walk(inbox)
		sameAsStore(t, cold, c.alice().Folder("inbox"), all)
	})
	pages := routes["GET /v1.0/me/mailFolders/{folder}/messages/delta"]
	if n > pages+5 || pages > messages/500*5/4 {
		t.Errorf("bulk walk took %d requests, %d of them pages of delta: %v", n, pages, routes)
	}
	warm := c.remount(sign{}, cold.sink)
	warm.exactly(1, "a stale month after a remount", func() { warm.refresh(inbox + "/2021-02") })
	warm.exactly(0, "the others", func() { warm.walk(inbox) })
}

// BenchmarkRender measures what turns the elements of a page into entries.
func BenchmarkRender(b *testing.B) {
	c := newCloud(b, 0)
	m := c.mount(sign{formats: []string{"md", "json"}})
	page, err := m.client.Page(b.Context(), "/me/mailFolders/inbox/messages", graph.Opts("$top", "200"))
	if err != nil {
		b.Fatal(err)
	}
	f := m.folder(m.account.UserID, "inbox")
	for b.Loop() {
		m.messages(f, page.Values)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(page.Values)), "ns/message")
}
