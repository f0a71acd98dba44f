package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/auth/signin"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

func loginCommand(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in to Microsoft 365 or Box",
		Long: "Sign in, and keep the sign-in as a connection of the configuration. A connection that exists is signed in anew with the\n" +
			"settings that it has and those that are given; running mounts take the new sign-in up by themselves.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(loginMicrosoftCommand(g), loginBoxCommand(g))
	return cmd
}

// loginFlags are the flags that both services have.
type loginFlags struct {
	name                         string
	clientID                     string
	secretFile, secretCommand    string
	secretExpires                string
	phraseFile, phraseCommand    string
	privateKey                   string
	store                        string
	callback, callbackListen     string
	noBrowser, paste, json, sure bool
	timeout                      config.Duration
	caFile                       string
}

func (f *loginFlags) add(fs *pflag.FlagSet, service string) {
	f.timeout = config.Duration(15 * time.Minute)
	fs.StringVar(&f.name, "name", "", "name of the connection; by default the one of this service, else "+service)
	fs.StringVar(&f.clientID, "client-id", "", "id of the application")
	fs.StringVar(&f.secretFile, "client-secret-file", "", "file of the client secret, read whenever it is needed; - asks for it, or reads it from standard input, and keeps it in the store")
	fs.StringVar(&f.secretCommand, "client-secret-command", "", "shell command that prints the client secret, run whenever it is needed")
	fs.StringVar(&f.secretExpires, "secret-expires", "", "day on which the client secret ends (2027-01-31), so that workfs can warn")
	fs.StringVar(&f.privateKey, "private-key", "", "PEM file of the private key")
	fs.StringVar(&f.phraseFile, "passphrase-file", "", "file of the passphrase of the private key or of the age store; - asks for it, or reads it from standard input")
	fs.StringVar(&f.phraseCommand, "passphrase-command", "", "shell command that prints that passphrase")
	fs.StringVar(&f.store, "store", "", "where secrets are kept: "+strings.Join(auth.StoreKinds(), ", ")+"; by default the keyring if there is one, else a file")
	fs.StringVar(&f.callback, "callback", signin.DefaultCallback(service).URL, "redirect URI of the application: http on localhost, or an https address that leads to --callback-listen")
	fs.StringVar(&f.callbackListen, "callback-listen", "", "HOST:PORT on which to await what a proxy passes on from an https callback (127.0.0.1 by default)")
	fs.BoolVar(&f.noBrowser, "no-browser", false, "only print the address to open")
	fs.BoolVar(&f.paste, "paste", false, "do not listen: read the address on which the browser ends from standard input")
	fs.Var(&f.timeout, "timeout", "how long to wait for the person")
	fs.StringVar(&f.caFile, "ca-file", "", "PEM file of further certificate authorities to trust")
	fs.BoolVar(&f.json, "json", false, "print the result as JSON")
	fs.BoolVarP(&f.sure, "yes", "y", false, "replace the sign-in of another account without asking")
}

// login is one run of a login command.
type login struct {
	*loginFlags
	g       *global
	cmd     *cobra.Command
	service string // the type of the connection
	term    *terminal
	people  io.Writer // what people read; standard output is for data

	before *backends.Connection // the connection of that name, nil for a new one
	shared bool                 // another connection has its credentials at the same place
	keys   map[string]any       // what the configuration will say
	own    auth.Credentials     // what the application proves itself with
	stored bool                 // the sign-in is in its store and its connection in the configuration
}

// newLogin reads the configuration and finds the connection to sign in. Where several could be meant, it is a new one
// if nothing of it will be kept (unkept).
func newLogin(g *global, cmd *cobra.Command, service string, f *loginFlags, unkept bool) (*login, error) {
	file, err := g.loadOrNew(cmd)
	if err != nil {
		return nil, err
	}
	l := &login{
		loginFlags: f, g: g, cmd: cmd, service: service, term: newTerminal(cmd.InOrStdin(), cmd.ErrOrStderr()), people: cmd.ErrOrStderr(),
		keys: map[string]any{"type": service},
	}
	var same []string
	var connections []backends.Connection
	if file != nil {
		connections = file.Connections
	}
	for _, c := range connections {
		if c.Type == service {
			same = append(same, c.Name)
		}
	}
	switch {
	case l.name != "":
	case len(same) == 0:
		l.name = service
	case len(same) == 1:
		l.name = same[0]
	case unkept:
		taken := func(c backends.Connection) bool { return c.Name == l.name }
		for l.name = service; slices.ContainsFunc(connections, taken); {
			l.name += "-other"
		}
	default:
		for i, name := range same {
			same[i] = shellWord(name)
		}
		return nil, withCode(codeUsage, fmt.Errorf("which connection? Choose one of %s by --name, or another name for a new one", strings.Join(same, ", ")))
	}
	for _, c := range connections {
		if c.Name != l.name {
			continue
		}
		if c.Type != service {
			return nil, withCode(codeUsage, fmt.Errorf("connection %q is of type %s: choose another --name", l.name, c.Type))
		}
		l.before = &c
		l.shared = sharing(connections, c) != ""
	}
	return l, nil
}

// say tells people a line.
func (l *login) say(format string, args ...any) {
	fmt.Fprintln(l.people, printable(fmt.Sprintf(format, args...)))
}

// set puts the flag's value into a key of the configuration, if there is one.
func (l *login) set(key, value string) {
	if value != "" {
		l.keys[key] = value
	}
}

// setPath is set for a path.
func (l *login) setPath(key, path string) error {
	if path == "" {
		return nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	l.keys[key] = abs
	return nil
}

// clear takes keys out of the configuration.
func (l *login) clear(keys ...string) {
	for _, k := range keys {
		l.keys[k] = nil
	}
}

// common sets the keys that both services have.
func (l *login) common() error {
	l.set("client_id", l.clientID)
	l.set("store", l.store)
	if l.secretFile != "" && l.secretCommand != "" || l.phraseFile != "" && l.phraseCommand != "" {
		return withCode(codeUsage, errors.New("a secret comes from a file or from a command: give one of the two flags"))
	}
	if l.secretFile == "-" && l.phraseFile == "-" && !l.term.person {
		return withCode(codeUsage, errors.New("only one secret can come from standard input"))
	}
	if _, err := l.secretEnd(); err != nil {
		return err
	}
	for _, s := range []struct{ key, file, command string }{
		{"client_secret", l.secretFile, l.secretCommand}, {"passphrase", l.phraseFile, l.phraseCommand},
	} {
		if s.file == "" && s.command == "" {
			continue
		}
		l.clear(s.key+"_file", s.key+"_command")
		l.set(s.key+"_command", s.command)
		if s.file == "-" {
			continue
		}
		if err := l.setPath(s.key+"_file", s.file); err != nil {
			return err
		}
	}
	if err := l.setPath("private_key", l.privateKey); err != nil {
		return err
	}
	return l.setPath("ca_file", l.caFile)
}

// secretEnd is when the client secret ends, zero if nobody says.
func (l *login) secretEnd() (time.Time, error) {
	if l.secretExpires == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, l.secretExpires); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, withCode(codeUsage, fmt.Errorf("--secret-expires %q is not a day like 2027-01-31", l.secretExpires))
}

// proposal is the connection as the configuration would say it with the keys set so far.
func (l *login) proposal() (*config.Proposal, error) {
	p, err := config.Propose(l.g.configFile, l.g.stateDir, l.name, maps.Clone(l.keys))
	return p, withCode(codeUsage, err)
}

// resolve completes the proposal.
func (l *login) resolve() (backends.Connection, error) {
	p, err := l.proposal()
	if err != nil {
		return backends.Connection{}, err
	}
	conn, err := p.Resolve()
	if err != nil {
		return conn, withCode(codeUsage, fmt.Errorf("connection %q: %w", l.name, err))
	}
	return conn, nil
}

// need asks for a key that has no value yet, and refuses where there is nobody to ask.
func (l *login) need(ctx context.Context, key, flag, what string) error {
	p, err := l.proposal()
	if err != nil {
		return err
	}
	if value := p.Value(key); value != "" {
		l.keys[key] = value // stays good without the environment that it may come from
		return nil
	}
	answer, err := l.term.ask(ctx, what+": ")
	if err == nil && answer == "" {
		err = errNobody
	}
	if errors.Is(err, errNobody) {
		return withCode(codeUsage, fmt.Errorf("%s is needed: %s", flag, what))
	}
	l.set(key, answer)
	return err
}

// browser is the person's side of a sign-in.
func (l *login) browser() signin.Browser {
	b := signin.Browser{
		Callback: signin.Callback{URL: l.callback, Listen: l.callbackListen},
		Note:     func(line string) { l.say("%s", line) },
	}
	if l.paste {
		b.Callback.Listen = signin.Nowhere
	}
	if l.paste || l.term.person {
		b.Paste = l.term.typed()
	}
	b.Show = func(address string) {
		opened := false
		if !l.noBrowser {
			opened = signin.Open(address) == nil
		}
		l.say("")
		if opened {
			l.say("Your browser should open now. If it does not, open this address:")
		} else {
			l.say("Open this address in a browser:")
		}
		l.say("")
		l.say("%s", address)
		l.say("")
		switch {
		case l.paste:
			l.say("When the browser has ended on a page, paste the address of that page here:")
		case l.term.person:
			l.say("If the browser is on another machine, paste the address of the page on which it ended here:")
		default:
			l.say("If the browser ends on a page with an error, nothing comes back from it: end this by Ctrl-C.")
		}
	}
	return b
}

// wait bounds a sign-in by --timeout.
func (l *login) wait(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, time.Duration(l.timeout), errTooLate)
}

// errTooLate is the cause of the end of a sign-in that nobody finished.
var errTooLate = errors.New("nobody finished the sign-in in time: start again, or give more time by --timeout; " +
	"what to do about an error that the browser showed is in the README, Signing in")

// late puts the end of a wait in words.
func late(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), errTooLate) {
		return withCode(codeTemporary, errTooLate)
	}
	return err
}

// callbackError makes an error of the callback one of usage or of a port in use.
func callbackError(err error) error {
	var busy *signin.InUseError
	if errors.As(err, &busy) {
		return withCode(codeBusy, err)
	}
	return err
}
