package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
)

// messages makes a month of mail: text that compresses like text.
func messages(n, bodySize int) []backends.Entry {
	r := rand.New(rand.NewPCG(1, 2))
	words := make([][]byte, 500)
	for i := range words {
		words[i] = fmt.Appendf(nil, "word%x ", r.Uint32()%100000)
	}
	es := make([]backends.Entry, n)
	for i := range es {
		var body bytes.Buffer
		for body.Len() < bodySize {
			body.Write(words[r.IntN(len(words))])
		}
		id := fmt.Sprintf("AAMkADI5MAAIT3drCAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%08d=", i)
		at := day.Add(time.Duration(i) * time.Second)
		es[i] = backends.Entry{
			Name: names.Wanted{Stem: at.Format("2006-01-02_15.04.05_") + "Bob-Jones_Q4-numbers", Key: id, Ext: ".md"},
			ID:   id + ":md", Item: id, Version: "CQAAABYAAABHJ8dBBZQ8RYFH" + fmt.Sprint(i), Body: body.Bytes()[:bodySize], Ref: id,
			Mtime: at, Ctime: at.Add(12345), Btime: at, Info: backends.Info{ServiceID: id, ETag: "W/" + id[:40], From: "bob@contoso.com"},
		}
	}
	return es
}

// cpu is the time that the process has computed, which says more than the clock on a busy machine.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func fill(b *bench, dir backends.DirKey, es []backends.Entry) {
	b.Helper()
	batch := b.sink().Begin("coll/" + string(dir))
	defer batch.Discard()
	for i := range es {
		if err := batch.Add(dir, es[i]); err != nil {
			b.Fatal(err)
		}
	}
	if err := batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: -1}}}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCommit lists a month of 100,000 messages of 2 KiB: first, again without change, and with one more.
func BenchmarkCommit(b *testing.B) {
	es := messages(100_000, 2048)
	for b.Loop() {
		w := newBench(b)
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		before := m.HeapAlloc
		start, used := time.Now(), cpu()
		batch := w.sink().Begin("coll")
		for i := range es {
			if err := batch.Add("", es[i]); err != nil {
				b.Fatal(err)
			}
		}
		added := time.Since(start)
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc-before)/1e6, "MB-batch")
		if err := batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: "", MaxAge: -1}}}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(es))/time.Since(start).Seconds(), "entries/s")
		b.ReportMetric(float64(len(es))/(cpu()-used).Seconds(), "entries/cpu-s")
		b.ReportMetric(added.Seconds(), "s-add")

		start = time.Now()
		fill(w, "", es)
		b.ReportMetric(float64(len(es))/time.Since(start).Seconds(), "again/s")
		one := es[7]
		one.ID, one.Item, one.Name.Key = "new", "new", "new"
		start = time.Now()
		more := w.sink().Begin("coll/")
		if err := more.Add("", one); err != nil {
			b.Fatal(err)
		}
		if err := more.Commit(backends.Commit{Fresh: true}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/1e3, "ms-one-more")
	}
}

// message makes the i-th of many messages of 2 KiB; change makes another version of one in a thousand.
func message(of *backends.Entry, i int, change string) backends.Entry {
	e := *of
	id := fmt.Sprintf("%s%08d=", of.Ref[:100], i)
	e.Name.Stem, e.Name.Key = day.Add(time.Duration(i)*time.Second).Format("2006-01-02_15.04.05_")+"Bob-Jones_Q4-numbers", id
	e.ID, e.Item, e.Info.ServiceID, e.Ref, e.Version = id+":md", id, id, id, fmt.Sprint("v", i)
	if i%1000 == 0 {
		e.Version += change
	}
	e.Body = append(of.Body[:2000:2000], e.Version...)
	return e
}

// BenchmarkMonths commits 100,000 messages in months with one batch, first and with few changes, while somebody else
// writes now and then. It tells what the process takes at most and how long a small write waits.
func BenchmarkMonths(b *testing.B) {
	for _, months := range []int{1, 120} {
		b.Run(fmt.Sprint(months), func(b *testing.B) {
			for b.Loop() {
				commitMonths(b, months)
			}
		})
	}
}

func commitMonths(b *testing.B, months int) {
	const n = 100_000
	of := messages(1, 2048)[0]
	w := newBench(b)
	how := backends.Commit{}
	for m := range months {
		how.Whole = append(how.Whole, backends.Listing{Dir: backends.DirKey(fmt.Sprint("M", m)), MaxAge: -1})
	}
	for _, name := range []string{"first", "again"} {
		memory, waits := &gauge{}, &gauge{}
		stop := memory.watch(residentMB)
		used := cpu()
		batch := w.sink().Begin("coll")
		for i := range n {
			if err := batch.Add(how.Whole[i*months/n].Dir, message(&of, i, name)); err != nil {
				b.Fatal(err)
			}
		}
		quiet := waits.watch(func() float64 {
			start := time.Now()
			if err := w.sink().Put("key", []byte("value")); err != nil {
				return -1
			}
			return float64(time.Since(start).Milliseconds())
		})
		if err := batch.Commit(how); err != nil {
			b.Fatal(err)
		}
		quiet()
		stop()
		b.ReportMetric(n/(cpu()-used).Seconds(), name+"/cpu-s")
		b.ReportMetric(memory.top, "MB-"+name)
		b.ReportMetric(waits.top, "ms-wait-"+name)
	}
	b.ReportMetric(float64(w.c.Stats().MetadataBytes)/n, "meta-B/entry")
}

// gauge keeps the highest of values that are looked at again and again.
type gauge struct{ top float64 }

// watch looks at a value until stop.
func (g *gauge) watch(look func() float64) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			g.top = max(g.top, look())
			select {
			case <-end:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() { close(end); <-ended }
}

// residentMB is the memory of the process that belongs to no file.
func residentMB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	var kb float64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		return 0
	}
	return kb / 1024
}

func BenchmarkTree(b *testing.B) {
	const n = 20_000
	w := newBench(b)
	fill(w, "", messages(n, 2048))
	ds := w.readDir(w.root)
	ctx := context.Background()
	b.Run("Lookup", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i = (i + 7919) % n
			if _, _, err := w.t.Lookup(ctx, w.root, ds[i].Name); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Attr", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i = (i + 7919) % n
			if _, err := w.t.Attr(ctx, ds[i].Node); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ReadDir", func(b *testing.B) {
		for b.Loop() {
			w.readDir(w.root)
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
	p := make([]byte, 4096)
	b.Run("ReadInOrder", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i = (i + 1) % n
			if _, err := w.t.ReadAt(ctx, ds[i].Node, p, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ReadAnywhere", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i = (i + 7919) % n
			if _, err := w.t.ReadAt(ctx, ds[i].Node, p, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Neighbours", func(b *testing.B) {
		seen := 0
		for b.Loop() {
			err := w.t.Neighbours(ctx, w.root, ds[0].Cookie, false, func(f backends.Neighbour) bool {
				_, err := f.Read()
				seen++
				return err == nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(seen)/b.Elapsed().Seconds(), "files/s")
	})
	b.Run("Reopen", func(b *testing.B) {
		if err := w.c.Close(); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			c, err := Open(w.options)
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}

// BenchmarkLive looks up names and changes a file in a live directory of a service that is followed, with and without somebody
// who listens to changes.
func BenchmarkLive(b *testing.B) {
	const n = 20_000
	w, feed := newLiveBench(b)
	es := messages(n, 100)
	commit := func(how backends.Commit, es ...backends.Entry) {
		batch := feed.Sink(backends.Origin{By: backends.ByWebhook}).Begin("coll/")
		defer batch.Discard()
		if err := errors.Join(batch.Add("", es...), batch.Commit(how)); err != nil {
			b.Fatal(err)
		}
	}
	commit(backends.Commit{Whole: []backends.Listing{{Dir: "", Covered: true}}}, es...)
	feed.Live("*", backends.Liveness{By: backends.ByWebhook, Since: w.clock.now()})
	ds := w.readDir(w.root)
	b.Run("Lookup", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i = (i + 7919) % n
			if d := w.lookup(w.root, ds[i].Name); d.Attr.Valid != backends.Forever {
				b.Fatal(d.Attr.Valid)
			}
		}
	})
	i := 0
	change := func(b *testing.B) {
		for b.Loop() {
			i++
			e := es[i%n]
			e.Version = fmt.Sprint("changed ", i)
			commit(backends.Commit{Fresh: true}, e)
		}
	}
	b.Run("Change", change)
	b.Cleanup(w.t.Changes(func([]Change) {}))
	b.Run("ChangeHeard", change)
}

// BenchmarkHydrate learns the size of contents one by one.
func BenchmarkHydrate(b *testing.B) {
	w := newBench(b)
	var es []backends.Entry
	for i := range 3000 {
		name := fmt.Sprintf("%05d.eml", i)
		es = append(es, userFile(name, "v1", backends.SizeUnknown))
		w.f.content("id-"+name, "v1", make([]byte, 20_000))
	}
	fill(w, "", es)
	ds := w.readDir(w.root)
	i := 0
	for b.Loop() {
		if _, err := w.t.Attr(context.Background(), ds[i%len(ds)].Node); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(min(i, len(ds)))/b.Elapsed().Seconds(), "files/s")
}
