package names

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestHash(t *testing.T) {
	// Names in people's backups depend on these: never change them.
	for id, want := range map[string]string{
		"":        "werc8gmrzge196qvyk49jvxs4gktwgf4",
		"message": "nd9gm4z4b4a9gavsz6vy7yx9jk7x3wzv",
	} {
		if got := Hash(id, 32); got != want {
			t.Errorf("Hash(%q, 32) = %q, want %q", id, got, want)
		}
	}
	long := Hash("x", 100)
	if len(long) != maxHash {
		t.Errorf("len(Hash(x, 100)) = %d, want %d", len(long), maxHash)
	}
	for n := range maxHash + 1 {
		if got := Hash("x", n); got != long[:n] || !isHash(got) {
			t.Errorf("Hash(x, %d) = %q, not a prefix of %q", n, got, long)
		}
	}
	if got := Hash("x", -1); got != "" {
		t.Errorf("Hash(x, -1) = %q", got)
	}
}

func TestClean(t *testing.T) {
	long := strings.Repeat("ä", 200)
	cut := Clean(long + ".pdf")
	for _, c := range []struct{ in, want string }{
		{"Inbox", "Inbox"},
		{"Q4 numbers: final?*.xlsx", "Q4 numbers: final?*.xlsx"},
		{"a/b", "a／b"},
		{"a／b", "a‛／b"},
		{"", "‛"},
		{".", "．"},
		{"..", "．．"},
		{"．", "‛．"},
		{"．．", "‛．．"},
		{"...", "..."},
		{"tab\there\x00\x7f", "tab␉here␀␡"},
		{"\x1b[31mred", "␛[31mred"},
		{"C1 \u009b", "C1 ‛C2‛9B"},
		{"bad \xff\xfe", "bad ‛FF‛FE"},
		{"quote ‛", "quote ‛‛"},
		{"\ufffd", "\ufffd"},
		{strings.Repeat("x", 255), strings.Repeat("x", 255)},
		{strings.Repeat("x", 256), strings.Repeat("x", 246) + "~" + Hash(strings.Repeat("x", 256), 8)},
		{long + ".pdf", strings.Repeat("ä", 121) + "~" + Hash(long+".pdf", 8) + ".pdf"},
		{cut, cut[:242] + "~" + Hash(cut, 8) + ".pdf"},
	} {
		got := Clean(c.in)
		if got != c.want {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
		}
		checkClean(t, c.in)
	}
}

// checkClean checks the promises of Clean and Original for one name.
func checkClean(t *testing.T, in string) {
	t.Helper()
	got := Clean(in)
	checkUsable(t, got)
	back, ok := Original(got)
	if ok && back != in {
		t.Errorf("Original(%q) = %q, want %q", got, back, in)
	}
	if !ok && len(in) < 255/10 {
		t.Errorf("Original(%q) failed, from %q", got, in)
	}
	if ok && Clean(back) != got {
		t.Errorf("Clean(Original(%q)) = %q", got, Clean(back))
	}
}

func checkUsable(t *testing.T, name string) {
	t.Helper()
	if name == "" || name == "." || name == ".." || len(name) > 255 || !utf8.ValidString(name) || strings.ContainsRune(name, '/') {
		t.Errorf("unusable name %q (%d bytes)", name, len(name))
	}
	if i := strings.IndexFunc(name, unicode.IsControl); i >= 0 {
		t.Errorf("control character in %q", name)
	}
}

func TestOriginalRefuses(t *testing.T) {
	for _, s := range []string{"a/b", "\xff", "‛x", "‛4", "‛41", "‛／‛", "\x01", Clean(strings.Repeat("y", 300))} {
		if got, ok := Original(s); ok {
			t.Errorf("Original(%q) = %q, want failure", s, got)
		}
	}
}

func TestLooksGenerated(t *testing.T) {
	for name, want := range map[string]bool{
		"2026-11": true, "undated": true, "files": true, "members.csv": true, "x.attachments": true, ".attachments": true,
		"2026-1": false, "2026_11": false, "2026-1x": false, "Files": false, "members.csv.bak": false, "attachments": false, "": false,
	} {
		if got := LooksGenerated(name); got != want {
			t.Errorf("LooksGenerated(%q) = %v", name, got)
		}
	}
}

func TestStem(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 12, 33, 999, time.FixedZone("CET", 3600))
	for _, c := range []struct{ person, subject, want string }{
		{"Bob Jones", "Q4 numbers", "2026-11-20_09.12.33_Bob-Jones_Q4-numbers"},
		{"Jones, Bob", "Re: Re: [EXT] a/b\\c:d*e?\"<f>|g", "2026-11-20_09.12.33_Jones-Bob_Re-Re-EXT-a-b-c-d-e-f-g"},
		{"", "", "2026-11-20_09.12.33"},
		{"   ", "🎉🎉", "2026-11-20_09.12.33"},
		{"Bob's dog", "snake_case", "2026-11-20_09.12.33_Bobs-dog_snake-case"},
		{"Zoe\u0308", "Пр\u0438\u0306вет 你好 สวัสดี हिन्दी", "2026-11-20_09.12.33_Zoë_Прйвет-你好-สวัสดี-हिन्दी"},
		{"evil\u202egnp.exe", "a\u2028b\u200bc\x00d", "2026-11-20_09.12.33_evilgnp-exe_a-bc-d"},
		{"a" + strings.Repeat("\u0301", 50), "\u3164\ufe0fx", "2026-11-20_09.12.33_á\u0301\u0301\u0301_x"},
		{"x\u200d\u0301", "bad\xffutf8", "2026-11-20_09.12.33_x\u0301_badutf8"},
	} {
		if got := Stem(at, c.person, c.subject); got != c.want {
			t.Errorf("Stem(%q, %q) = %q, want %q", c.person, c.subject, got, c.want)
		}
	}
	if got := Stem(time.Time{}, "A", "b"); got != "undated_A_b" {
		t.Errorf("undated: %q", got)
	}
	if got := EventStem(at, false, "Standup"); got != "2026-11-20_09.12_Standup" {
		t.Errorf("EventStem: %q", got)
	}
	if got := EventStem(at, true, "Holiday"); got != "2026-11-20_Holiday" {
		t.Errorf("EventStem all day: %q", got)
	}
	if got, want := ReplyStem(at, "A", strings.Repeat("long ", 100), "root"), "_re~"+Hash("root", 4); !strings.HasSuffix(got, want) || len(got) > MaxStem {
		t.Errorf("ReplyStem: %q", got)
	}
	if got := PeopleStem([]string{"Alice Smith", "Bob Jones", "", "C", "D", "E"}); got != "Alice-Smith_Bob-Jones_C_+2" {
		t.Errorf("PeopleStem: %q", got)
	}
	if got := Month(at); got != "2026-11" {
		t.Errorf("Month: %q", got)
	}
	for _, y := range []int{1, 1601, 1899, 4501, -5, 100000} {
		if got := Month(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)); got != Undated {
			t.Errorf("Month of year %d: %q", y, got)
		}
	}
}

func checkStem(t *testing.T, got string, limit int) {
	t.Helper()
	if len(got) > limit || !utf8.ValidString(got) || !norm.NFC.IsNormalString(got) {
		t.Errorf("%q: %d bytes, limit %d", got, len(got), limit)
	}
	for _, r := range got {
		if !(unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("-_.", r)) || invisible(r) {
			t.Errorf("%q has %U", got, r)
		}
	}
}

// hostile makes names out of pieces that have broken programs before.
func hostile(r *rand.Rand) string {
	pieces := []string{"/", "\x00", ".", "..", "~", "a", "b", "‛", "／", "．", "␀", "␡", "\xff", "\xc2", "\u0080", "\u202e", "\u2028", "\n", "\r",
		".pdf", ".attachments", "é", "e\u0301", "漢", "🎉", "-", "_", " ", "2026-11", "files", "members.csv", "~00000000", "\ufffd", strings.Repeat("x", 200), strings.Repeat("漢", 80)}
	var b strings.Builder
	for range r.IntN(7) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func TestHostileNames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]string{}
	for range 150_000 / slow {
		in := hostile(r)
		checkClean(t, in)
		c := Clean(in)
		if before, ok := seen[c]; ok && before != in {
			t.Fatalf("Clean(%q) = Clean(%q) = %q", in, before, c)
		}
		seen[c] = in
		n := r.IntN(80)
		checkStem(t, Slug(in, n), n)
		if t.Failed() {
			t.Fatalf("with %q", in)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", ".", "..", "a/b", "‛", "‛00", "\xff\x00", strings.Repeat("漢", 90) + ".pdf", strings.Repeat("x", 246) + "~00000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkClean(t, s)
		checkStem(t, Slug(s, 60), 60)
		if o, ok := Original(s); ok && Clean(o) != s {
			t.Errorf("Original(%q) = %q, whose Clean is %q", s, o, Clean(o))
		}
	})
}

func BenchmarkStem(b *testing.B) {
	at := time.Date(2026, 11, 20, 9, 12, 33, 0, time.UTC)
	for b.Loop() {
		Stem(at, "Bob Jones", "Re: Q4 numbers for the board, final version")
	}
}
