package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
)

// ErrNoConnection says that the configuration file has no table for a connection.
var ErrNoConnection = errors.New("the configuration file has no such connection")

// ErrExists says that the configuration file has a table for the connection already.
var ErrExists = errors.New("there is a connection of that name already")

// Put sets keys of [connections.NAME] in the configuration file at path and adds the table, the file and its directory if
// need be. Values are string, bool, []string or map[string]string; "", false, nil and empty ones take the key out. Keys
// that are not named stay, and all else in the file stays byte for byte. What would not be a valid connection, with what
// the environment says of it, is not written. Two programs may do this at once.
func Put(path, name string, keys map[string]any) error {
	return edit(path, func(d *document) error { return d.put(name, keys) }, name)
}

// Add is Put for a connection that is not in the file; ErrExists if it is.
func Add(path, name string, keys map[string]any) error {
	return edit(path, func(d *document) error {
		if d.has(name) {
			return fmt.Errorf("%w: %q", ErrExists, name)
		}
		return d.put(name, keys)
	}, name)
}

// Rename gives a connection's table another name and sets keys of it as Put does. ErrNoConnection, ErrExists.
func Rename(path, from, to string, keys map[string]any) error {
	return edit(path, func(d *document) error {
		if d.has(to) {
			return fmt.Errorf("%w: %q", ErrExists, to)
		}
		if err := d.rename(from, to); err != nil || len(keys) == 0 {
			return err
		}
		return d.put(to, keys)
	}, to)
}

// Remove takes a connection's table out of the file, with the comments in it. ErrNoConnection.
func Remove(path, name string) error {
	return edit(path, func(d *document) error { return d.remove(name) }, "")
}

// edit changes the file at path under its lock. The connection check, if there is one, must be valid afterwards.
func edit(path string, change func(*document) error, check string) error {
	path, err := target(path)
	if err != nil {
		return err
	}
	unlock, err := lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	before, mode, err := readFile(path)
	if err != nil {
		return err
	}
	d, err := parse(before)
	if err == nil {
		err = change(d)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if check != "" {
		p, err := propose(path, DefaultStateDir(), d.text, check)
		if err != nil {
			return err
		}
		if _, err := p.Resolve(); err != nil {
			return p.draft.blame(path, err)
		}
	}
	if d.text == before {
		return nil
	}
	return writeFile(path, d.text, mode)
}

// document is the text of a configuration file and what it means.
type document struct {
	text       string
	statements []statement
	values     map[string]any
}

func parse(text string) (*document, error) {
	d := &document{text: text, values: map[string]any{}}
	if _, err := toml.Decode(text, &d.values); err != nil {
		return nil, err
	}
	var err error
	d.statements, err = scan(text)
	return d, err
}

// connections gives what the document has of connections.
func (d *document) connections() map[string]any {
	m, _ := d.values["connections"].(map[string]any)
	return m
}

func (d *document) has(name string) bool { return d.connections()[name] != nil }

// header finds the header of a connection; a connection without one is written in a way that is not edited here.
func (d *document) header(name string) (int, error) {
	if !d.has(name) {
		return 0, fmt.Errorf("%w: %q", ErrNoConnection, name)
	}
	i := slices.IndexFunc(d.statements, func(s statement) bool {
		return s.header && !s.array && len(s.path) == 2 && s.within("connections", name)
	})
	if i < 0 {
		return 0, byHand(name)
	}
	return i, nil
}

func byHand(name string) error {
	return fmt.Errorf("connection %q is not written as a table [connections.%s] with a line for each key: edit it by hand", name, quoteKey(name))
}

// splice is a piece of the text and what takes its place.
type splice struct {
	span
	text string
}

// apply makes the changes and checks that the text means what it meant before but for the connections that expect gives.
func (d *document) apply(splices []splice, name string, expect map[string]any) error {
	sort.SliceStable(splices, func(i, j int) bool { return splices[i].start > splices[j].start })
	text := d.text
	for _, s := range splices {
		text = text[:s.start] + s.text + text[s.end:]
	}
	after, err := parse(text)
	if err != nil {
		return byHand(name)
	}
	want, got := map[string]any{}, map[string]any{}
	for key, value := range d.values {
		want[key] = value
	}
	for key, value := range after.values {
		got[key] = value
	}
	// A file without connections may have an empty table of them or none.
	got["connections"], want["connections"] = after.connections(), expect
	if len(after.connections()) == 0 && len(expect) == 0 {
		delete(got, "connections")
		delete(want, "connections")
	}
	if !reflect.DeepEqual(got, want) {
		return byHand(name)
	}
	*d = *after
	return nil
}

// others gives the connections without one.
func (d *document) others(name string) map[string]any {
	m := map[string]any{}
	for key, value := range d.connections() {
		if key != name {
			m[key] = value
		}
	}
	return m
}

func (d *document) put(name string, keys map[string]any) error {
	lines := map[string]string{}
	values := map[string]any{}
	if d.has(name) {
		old, ok := d.connections()[name].(map[string]any)
		if !ok {
			return byHand(name)
		}
		for key, value := range old {
			values[key] = value
		}
	}
	for _, key := range sortedKeys(keys) {
		if !slices.Contains(connectionKeys, key) {
			return fmt.Errorf("connection %q: there is no key %q", name, key)
		}
		delete(values, key)
		line, err := keyLine(key, keys[key])
		if err != nil {
			return err
		}
		lines[key] = line
		if line == "" {
			continue
		}
		var v map[string]any
		if _, err := toml.Decode(line, &v); err != nil {
			return fmt.Errorf("connection %q: %s: %w", name, key, err)
		}
		values[key] = v[key]
	}
	expect := d.others(name)
	expect[name] = values
	if !d.has(name) {
		if slices.ContainsFunc(d.statements, func(s statement) bool { return !s.header && len(s.path) == 1 && s.within("connections") }) {
			return byHand(name) // an inline table can't be added to, which the decoder does not mind
		}
		return d.apply([]splice{d.appended(name, lines)}, name, expect)
	}
	at, err := d.header(name)
	if err != nil {
		return err
	}
	var splices []splice
	last := d.statements[at]
	for _, s := range d.statements {
		if !s.within("connections", name) || len(s.path) < 3 {
			continue
		}
		key := s.path[2]
		line, changed := lines[key]
		plain := !s.header && len(s.path) == 3 && len(s.own) == 1 // a line of the table itself
		if plain {
			last = s
		}
		switch {
		case !changed || line != "" && plain && reflect.DeepEqual(d.connections()[name].(map[string]any)[key], values[key]):
		case line != "" && plain:
			splices = append(splices, splice{span{s.start, s.end}, line})
		default:
			splices = append(splices, splice{d.lines(s), ""})
		}
		if plain {
			delete(lines, key)
		}
	}
	if added := d.block(lines); added != "" {
		end := d.lines(last).end
		if !strings.HasSuffix(d.text[:end], "\n") {
			added = d.newline() + added
		}
		splices = append(splices, splice{span{end, end}, added})
	}
	return d.apply(splices, name, expect)
}

// appended puts a new table at the end of the text.
func (d *document) appended(name string, lines map[string]string) splice {
	gap := ""
	switch end := len(d.text); {
	case end == 0:
	case !strings.HasSuffix(d.text, "\n"):
		gap = d.newline() + d.newline()
	case !strings.HasSuffix(d.text, "\n\n") && !strings.HasSuffix(d.text, "\n\r\n"):
		gap = d.newline()
	}
	head := "[connections." + quoteKey(name) + "]" + d.newline()
	return splice{span{len(d.text), len(d.text)}, gap + head + d.block(lines)}
}

// block writes lines in the order in which people expect the keys.
func (d *document) block(lines map[string]string) string {
	var b strings.Builder
	for _, key := range connectionKeys {
		if line := lines[key]; line != "" {
			b.WriteString(line + d.newline())
		}
	}
	return b.String()
}

// newline is how the text ends its lines.
func (d *document) newline() string {
	if strings.Contains(d.text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// lines gives the whole lines that a statement is on, with their newline.
func (d *document) lines(s statement) span {
	from := strings.LastIndexByte(d.text[:s.start], '\n') + 1
	if n := strings.IndexByte(d.text[s.end:], '\n'); n >= 0 {
		return span{from, s.end + n + 1}
	}
	return span{from, len(d.text)}
}

func (d *document) rename(from, to string) error {
	if _, err := d.header(from); err != nil {
		return err
	}
	expect := d.others(from)
	expect[to] = d.connections()[from]
	var splices []splice
	for _, s := range d.statements {
		if s.header && s.within("connections", from) {
			splices = append(splices, splice{s.own[1], quoteKey(to)})
		}
	}
	return d.apply(splices, from, expect)
}

func (d *document) remove(name string) error {
	if _, err := d.header(name); err != nil {
		return err
	}
	var splices []splice
	for i := 0; i < len(d.statements); i++ {
		s := d.statements[i]
		if !s.header || !s.within("connections", name) {
			continue
		}
		cut := d.lines(s)
		for ; i+1 < len(d.statements) && !d.statements[i+1].header; i++ {
			cut.end = d.lines(d.statements[i+1]).end
		}
		// The blank line that parted it from what is above goes with it, if there is another one or nothing below.
		above, below := d.text[:cut.start], strings.TrimLeft(d.text[cut.end:], "\r")
		if blank := d.newline(); strings.HasSuffix(above, "\n"+blank) && (below == "" || below[0] == '\n') {
			cut.start -= len(blank)
		}
		splices = append(splices, splice{cut, ""})
	}
	return d.apply(splices, name, d.others(name))
}

// keyLine writes a key with its value as a line without its newline, "" for an empty value.
func keyLine(key string, value any) (string, error) {
	switch v := value.(type) {
	case map[string]string:
		if len(v) == 0 {
			return "", nil
		}
		var parts []string
		for _, k := range sortedKeys(v) {
			part, err := keyLine("K", v[k])
			if err != nil {
				return "", err
			}
			if part == "" {
				part = `K = ""`
			}
			parts = append(parts, quoteKey(k)+strings.TrimPrefix(part, "K"))
		}
		return key + " = { " + strings.Join(parts, ", ") + " }", nil
	case nil:
		return "", nil
	case string, bool, []string:
		if r := reflect.ValueOf(v); r.IsZero() || r.Kind() == reflect.Slice && r.Len() == 0 {
			return "", nil
		}
		b, err := toml.Marshal(map[string]any{key: v})
		return strings.TrimRight(string(b), "\n"), err
	default:
		return "", fmt.Errorf("%s can't be a %T", key, value)
	}
}

// quoteKey writes a part of a key, in quotes where it needs them.
func quoteKey(part string) string {
	if part != "" && strings.Trim(part, bareKey) == "" {
		return part
	}
	b, err := toml.Marshal(map[string]string{"K": part})
	if err != nil {
		return part // the comparison after the edit will tell
	}
	return strings.TrimPrefix(strings.TrimRight(string(b), "\n"), "K = ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
