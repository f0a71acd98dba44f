package config

import (
	"fmt"
	"maps"
	"path/filepath"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// Proposal is a connection as it would be after Put.
type Proposal struct {
	draft  *draft
	places places
}

// Propose tells what Put of these keys would make of a connection, with what the environment says of it. Nothing is written
// and the connection may be incomplete. stateDir is the setting --state-dir. It fails where Put could not edit the file.
func Propose(path, stateDir, name string, keys map[string]any) (*Proposal, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	text, _, err := readFile(path)
	if err != nil {
		return nil, err
	}
	d, err := parse(text)
	if err == nil {
		err = d.put(name, keys)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return propose(path, stateDir, d.text, name)
}

// propose gives a connection of a configuration's text.
func propose(path, stateDir, text, name string) (*Proposal, error) {
	all, err := drafts(path, text)
	if err != nil {
		return nil, err
	}
	if all[name] == nil {
		return nil, fmt.Errorf("%s: %w: %q", path, ErrNoConnection, name)
	}
	return &Proposal{all[name], places{config: filepath.Dir(path), state: stateDir}}, nil
}

// Value is what a key would say, as the environment would have it, "" for nothing.
func (p *Proposal) Value(key string) string {
	if !p.draft.keys.has(key) {
		return ""
	}
	return keyText(p.draft.keys.field(key).Interface())
}

// Resolve completes the connection, or tells what is wrong with it. It makes no request.
func (p *Proposal) Resolve() (backends.Connection, error) {
	_, c, err := p.resolved()
	return c, err
}

func (p *Proposal) resolved() (*draft, backends.Connection, error) {
	d := *p.draft // resolving completes the keys, and Value is for what was said
	d.from = maps.Clone(p.draft.from)
	c, err := d.resolve(p.places)
	return &d, c, err
}

// Borrowed gives the vault for a client secret that nothing gives but a variable of other tools: there it is at hand without
// the variable, too. It is nil where the secret comes from elsewhere.
func (p *Proposal) Borrowed() (auth.Store, error) {
	d, _, err := p.resolved()
	if err != nil || d.spare["client_secret"] == "" || d.given("client_secret") != nil || d.box != nil {
		return nil, err
	}
	return d.vault()
}
