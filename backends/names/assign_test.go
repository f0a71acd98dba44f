package names

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestAssign(t *testing.T) {
	h := func(key string) string { return "~" + Hash(key, 8) }
	long := strings.Repeat("x", 255)
	for _, c := range []struct {
		name string
		in   []Wanted
		want []string
	}{
		{"parts share a hash", []Wanted{
			{Stem: "s", Key: "1", Ext: ".md"}, {Stem: "s", Key: "1", Ext: ".attachments"}, {Stem: "s", Key: "2", Ext: ".md"},
		}, []string{"s" + h("1") + ".md", "s" + h("1") + ".attachments", "s" + h("2") + ".md"}},
		{"users keep their names", []Wanted{
			{Stem: "Inbox", Key: "1", User: true}, {Stem: "inbox", Key: "2", User: true}, {Stem: "a b.TXT", Key: "3", User: true},
		}, []string{"Inbox", "inbox", "a b.TXT"}},
		{"twins all get a hash", []Wanted{
			{Stem: "a.txt", Key: "1", User: true}, {Stem: "a.txt", Key: "2", User: true}, {Stem: ".rc", Key: "3", User: true}, {Stem: ".rc", Key: "4", User: true},
		}, []string{"a" + h("1") + ".txt", "a" + h("2") + ".txt", ".rc" + h("3"), ".rc" + h("4")}},
		{"names like ours", []Wanted{
			{Stem: "2026-11", Key: "1", User: true}, {Stem: "members.csv", Key: "2", User: true}, {Stem: "x.attachments", Key: "3", User: true},
			{Stem: "2026-11", Fixed: true}, {Stem: "members.csv", Fixed: true},
		}, []string{"2026-11" + h("1"), "members" + h("2") + ".csv", "x.attachments" + h("3"), "2026-11", "members.csv"}},
		{"fixed wins", []Wanted{
			{Stem: "General", Key: "1", User: true}, {Stem: "General", Fixed: true},
		}, []string{"General" + h("1"), "General"}},
		{"a user's name equal to a generated one", []Wanted{
			{Stem: "s" + h("1") + ".md", Key: "u", User: true}, {Stem: "s", Key: "1", Ext: ".md"}, {Stem: "s", Key: "1", Ext: ".json"},
		}, []string{"s" + h("1") + ".md", "s~" + Hash("1", 9) + ".md", "s~" + Hash("1", 9) + ".json"}},
		{"doubles are numbered", []Wanted{
			{Stem: "s", Key: "1", Ext: ".md"}, {Stem: "s", Key: "1", Ext: ".md"},
		}, []string{"s" + h("1") + ".md", "s" + h("1\x002") + ".md"}},
		{"unusable names", []Wanted{
			{Stem: "a/b", Key: "1", User: true}, {Stem: "..", Key: "2", User: true}, {Stem: "a／b", Key: "3", User: true}, {Stem: "x/y", Key: "4", Ext: ".md"},
		}, []string{"a／b" + h("1"), "．．", "a／b" + h("3"), "x／y" + h("4") + ".md"}},
		{"long twins", []Wanted{
			{Stem: long, Key: "1", User: true}, {Stem: long, Key: "2", User: true},
		}, []string{long[:246] + h("1"), long[:246] + h("2")}},
	} {
		if got := Assign(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestAssignRealCollision(t *testing.T) {
	// Keys whose hashes agree in the first three characters stand in for a 40-bit collision: a user's names occupy all that
	// differs, round after round.
	ws := []Wanted{{Stem: "s", Key: "1", Ext: ".md"}, {Stem: "s", Key: "1", Ext: ".json"}}
	for n := 8; n <= maxHash; n++ {
		ws = append(ws, Wanted{Stem: "s~" + Hash("1", n) + ".md", Key: strconv.Itoa(n), User: true})
	}
	got := Assign(ws)
	checkNames(t, ws, got)
	for i := 2; i < len(ws); i++ {
		if got[i] != ws[i].Stem {
			t.Errorf("user's %q became %q", ws[i].Stem, got[i])
		}
	}
}

func checkNames(t *testing.T, ws []Wanted, got []string) {
	t.Helper()
	seen := map[string]bool{}
	for i, n := range got {
		checkUsable(t, n)
		if seen[n] {
			t.Errorf("two entries named %q", n)
		}
		seen[n] = true
		if ws[i].Fixed && n != ws[i].Stem {
			t.Errorf("fixed %q became %q", ws[i].Stem, n)
		}
	}
}

func TestAssignIsAFunctionOfTheSet(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 3000 / slow {
		var ws []Wanted
		fixed := map[string]bool{}
		for range r.IntN(40) {
			w := Wanted{Key: strconv.Itoa(r.IntN(12))}
			switch r.IntN(5) {
			case 0, 1:
				w.User, w.Stem = true, hostile(r)
			case 2:
				w.User, w.Stem = true, "s~"+Hash(strconv.Itoa(r.IntN(12)), 8+r.IntN(3))+[]string{"", ".md"}[r.IntN(2)]
			case 3:
				w.Fixed, w.Key, w.Stem = true, "", []string{"files", "members.csv", "2026-10", "2026-11"}[r.IntN(4)]
				if fixed[w.Stem] {
					continue
				}
				fixed[w.Stem] = true
			default:
				w.Stem, w.Ext = []string{"s", "t", hostile(r)}[r.IntN(3)], []string{".md", ".json", ".attachments", ""}[r.IntN(4)]
			}
			ws = append(ws, w)
		}
		got := Assign(ws)
		checkNames(t, ws, got)
		shuffled := slices.Clone(ws)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if a, b := bag(ws, got), bag(shuffled, Assign(shuffled)); !maps.Equal(a, b) {
			t.Fatalf("round %d: names depend on order\n%#v\n%q", round, ws, got)
		}
		if t.Failed() {
			t.Fatalf("round %d: %#v\n%q", round, ws, got)
		}
	}
}

func bag(ws []Wanted, names []string) map[string]int {
	m := map[string]int{}
	for i, w := range ws {
		m[fmt.Sprintf("%#v %s", w, names[i])]++
	}
	return m
}

func FuzzAssign(f *testing.F) {
	f.Add("a\nb\na", uint64(1))
	f.Add("2026-11\nfiles\nfiles\nx.attachments\n..\n\n", uint64(7))
	f.Fuzz(func(t *testing.T, list string, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		var ws []Wanted
		for s := range strings.SplitSeq(list, "\n") {
			ws = append(ws, Wanted{Stem: s, Key: strconv.Itoa(r.IntN(5)), User: r.IntN(2) == 0, Ext: []string{"", ".md"}[r.IntN(2)]})
			if len(ws) == 200 {
				break
			}
		}
		got := Assign(ws)
		checkNames(t, ws, got)
		shuffled := slices.Clone(ws)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if !maps.Equal(bag(ws, got), bag(shuffled, Assign(shuffled))) {
			t.Errorf("names depend on order: %#v", ws)
		}
	})
}

func BenchmarkAssign100k(b *testing.B) {
	ws := make([]Wanted, 100_000)
	for i := range ws {
		ws[i] = Wanted{Stem: "2026-11-20_09.12.33_Bob-Jones_Q4-numbers", Key: "outlook/contoso/alice/" + strconv.Itoa(i), Ext: ".md"}
	}
	for b.Loop() {
		Assign(ws)
	}
}
