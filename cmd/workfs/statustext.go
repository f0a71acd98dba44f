package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/workfs/workfs/backends/webhook"
	"github.com/workfs/workfs/cache"
)

// printStatus prints what a mount says of itself: a line for each service, or all about each collection.
func printStatus(out io.Writer, st mountStatus, all bool) error {
	fmt.Fprintf(out, "%s  (process %d, since %s)\n", printable(st.Mountpoint), st.PID, localTime(st.Started))
	for _, c := range st.Connections {
		printConnection(out, c)
	}
	if st.Webhooks != nil {
		fmt.Fprintf(out, "  webhooks: %s\n", printable(webhooksText(st.Webhooks)))
	}
	fmt.Fprintf(out, "  cache: %d entries, %s of contents on disk\n", st.Cache.Entries, roughly(st.Cache.BodyBytes+st.Cache.BlobBytes))
	if m := st.Memory; m != nil {
		fmt.Fprintf(out, "  memory: %s\n", memoryText(m))
	}
	if all {
		for i := range st.Collections {
			printCollection(out, &st.Collections[i])
		}
		return nil
	}
	return printServices(out, st.Collections)
}

// memoryText says what the process takes for itself, and what it is to keep to.
func memoryText(m *memoryStatus) string {
	text := roughly(m.Anonymous) + " in use"
	if m.Limit > 0 {
		text += " of " + roughly(m.Limit)
	}
	return text + ", " + roughly(m.Resident-m.Anonymous) + " of files"
}

// webhooksText says where services deliver to, whether they reach it, and how much came.
func webhooksText(s *webhook.Status) string {
	reach := "answers"
	switch {
	case s.Reach.Down:
		reach = "DOES NOT ANSWER since " + localTime(s.Reach.Since)
	case !s.Reach.Known:
		reach = "not known to answer" // some machines can't reach their own public address
	}
	if s.Reach.Problem != "" {
		reach += " (" + s.Reach.Problem + ")"
	}
	return fmt.Sprintf("%s %s; %d accepted, %d refused", s.Address, reach, s.Accepted, s.Refused)
}

// serviceSum is what a service's collections come to.
type serviceSum struct {
	name           string
	listed         int
	entries        uint64
	oldest, newest time.Time
	right          upkeep
	problems       []string // in order of appearance
	times          map[string]int
}

// printServices prints a table of the services, and below it what is wrong.
func printServices(out io.Writer, collections []cache.Collection) error {
	if len(collections) == 0 {
		return nil
	}
	sums := sumUp(collections)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  SERVICE\tLISTED\tENTRIES\tOLDEST\tLAST SYNC\tKEPT RIGHT")
	for _, s := range sums {
		fmt.Fprintf(w, "  %s\t%d\t%d\t%s\t%s\t%s\n", printable(s.name), s.listed, s.entries, localTime(s.oldest), localTime(s.newest), s.right.text())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range sums {
		for _, problem := range s.problems {
			more := ""
			if n := s.times[problem]; n > 1 {
				more = fmt.Sprintf(" (%d times)", n)
			}
			fmt.Fprintf(out, "  %s: %s%s\n", printable(s.name), printable(problem), more)
		}
	}
	return nil
}

// sumUp adds the collections of each service up, which come in order of services.
func sumUp(collections []cache.Collection) []*serviceSum {
	var sums []*serviceSum
	for i := range collections {
		c := &collections[i]
		if len(sums) == 0 || sums[len(sums)-1].name != c.Service {
			sums = append(sums, &serviceSum{name: c.Service, times: map[string]int{}})
		}
		s := sums[len(sums)-1]
		s.listed += c.Directories
		s.entries += c.Entries
		if !c.Oldest.IsZero() && (s.oldest.IsZero() || c.Oldest.Before(s.oldest)) {
			s.oldest = c.Oldest
		}
		if c.Newest.After(s.newest) {
			s.newest = c.Newest
		}
		s.right.add(c)
		for _, p := range problemsOf(c) {
			if s.times[p]++; s.times[p] == 1 {
				s.problems = append(s.problems, p)
			}
		}
	}
	return sums
}

// problemsOf says what is wrong with a collection.
func problemsOf(c *cache.Collection) (problems []string) {
	if c.Error != "" {
		p := "FAILED: " + c.Error
		if c.PausedFor != "" {
			p += " (the older listing serves, tried again in " + c.PausedFor + ")"
		}
		problems = append(problems, p)
	}
	if c.Following != nil && c.Following.Problem != "" {
		problems = append(problems, "NOT LIVE: "+c.Following.Problem)
	}
	return problems
}

// upkeep counts directories by how they are kept right.
type upkeep struct {
	live  map[string]int // by what tells of changes
	asked int            // regularly
	// shortest and longest are the intervals of those.
	shortest, longest time.Duration
	aged              int // asked for again when somebody looks and they are old
	fixed             int // listed once and for all
}

func (u *upkeep) add(c *cache.Collection) {
	rest := c.Directories - c.Live - c.Fixed
	u.fixed += c.Fixed
	f := c.Following
	if c.Live > 0 && f != nil {
		if u.live == nil {
			u.live = map[string]int{}
		}
		u.live[f.By] += c.Live
	}
	switch {
	case rest == 0:
	case f == nil || f.Interval == 0:
		u.aged += rest
	default:
		if u.asked == 0 || f.Interval < u.shortest {
			u.shortest = f.Interval
		}
		u.longest = max(u.longest, f.Interval)
		u.asked += rest
	}
}

// text lists the ways, "42 live by webhook, 3 asked every 5m, 2 by age, 7 fixed".
func (u *upkeep) text() string {
	var parts []string
	for by, n := range u.live {
		parts = append(parts, fmt.Sprintf("%d live by %s", n, printable(by)))
	}
	slices.Sort(parts)
	if u.asked > 0 {
		part := fmt.Sprintf("%d asked every %s", u.asked, span(u.shortest))
		if u.longest > u.shortest {
			part += " to " + span(u.longest)
		}
		parts = append(parts, part)
	}
	if u.aged > 0 {
		parts = append(parts, fmt.Sprintf("%d by age", u.aged))
	}
	if u.fixed > 0 {
		parts = append(parts, fmt.Sprintf("%d fixed", u.fixed))
	}
	return strings.Join(parts, ", ")
}

// printCollection prints all about a collection.
func printCollection(out io.Writer, c *cache.Collection) {
	fmt.Fprintf(out, "  %s  %s\n", printable(c.Service), printable(c.Name))
	right := upkeep{}
	right.add(c)
	line := func(parts ...string) {
		parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
		if len(parts) > 0 {
			fmt.Fprintf(out, "    %s\n", printable(strings.Join(parts, ", ")))
		}
	}
	line(fmt.Sprintf("%d listed with %d entries", c.Directories, c.Entries), right.text())
	synced, changed := "", ""
	if !c.Newest.IsZero() {
		synced = "last sync " + localTime(c.Newest)
	}
	if c.LastChange != nil {
		changed = "last change " + localTime(c.LastChange.At) + howLearnt(c.LastChange)
	}
	line(synced, changed)
	if f := c.Following; f != nil {
		subscription, renewal := "", ""
		if f.Subscription != "" {
			subscription = "subscription " + f.Subscription
		}
		if !f.Renewal.IsZero() {
			renewal = "renewed next " + localTime(f.Renewal)
		}
		line(subscription, renewal)
	}
	for _, p := range problemsOf(c) {
		line(p)
	}
}

// howLearnt says how a change was learnt, and how long it took from the news to the tree.
func howLearnt(c *cache.LastChange) string {
	text := " by " + c.By
	if c.Lag > 0 {
		text += ", " + span(c.Lag) + " after the news"
	}
	return text
}
