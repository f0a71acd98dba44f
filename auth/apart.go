package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// Box's refresh tokens work once. From the moment that Box takes one until its answer is stored, the end of the process that
// renews is the end of the sign-in. So a long-lived program, which is the one that gets killed, leaves that to a helper: a
// short-lived process in a session of its own, which no Ctrl-C, no lost terminal and no signal to the program or to its
// process group reaches, and which does not end before it has stored what it got. The two share nothing but the store.
//
// What ends the machine or the whole container can still come between. Then the note in the lock file tells of it.

// job is what a helper is told, by a pipe.
type job struct {
	TokenURL, ClientID, CAFile string

	Store    StoreConfig
	Opens    string       // what its Passphrase would give
	Supplied *Credentials // what lies over it, nil for nothing

	Current, Refused string // access tokens of the source
	Force            bool   // renew although the stored one does
}

// portable is a Store that can be opened by another process.
type portable interface {
	// describe fills the members of j that concern the store.
	describe(ctx context.Context, j *job) error
}

func (v *vault) describe(ctx context.Context, j *job) error { return v.medium.describe(ctx, j) }

func (f *file) describe(_ context.Context, j *job) error {
	j.Store = StoreConfig{Kind: "file", Path: f.path}
	return nil
}

func (k *keyringEntry) describe(_ context.Context, j *job) error {
	j.Store = StoreConfig{Kind: "keyring", Name: k.name, Path: k.key}
	return nil
}

// describe gives the key in place of the passphrase, for which the helper would have to wait.
func (s *sealed) describe(ctx context.Context, j *job) error {
	j.Store = StoreConfig{Kind: "age", Path: s.file.path}
	data, err := s.file.read(ctx)
	if errors.Is(err, ErrNoCredentials) {
		j.Opens, err = s.ask(ctx)
		return err
	}
	if err != nil {
		return err
	}
	head, _ := parts(data)
	key, err := s.open(ctx, head)
	if err != nil {
		return err
	}
	j.Opens, err = keyText(key)
	return err
}

func (s *supplied) describe(ctx context.Context, j *job) error {
	p, ok := s.Store.(portable)
	if !ok {
		return errNotPortable
	}
	over, err := s.ask(ctx)
	if err != nil {
		return err
	}
	j.Supplied = &over
	return p.describe(ctx, j)
}

// store makes the store that j describes.
func (j *job) store() (Store, error) {
	cfg := j.Store
	cfg.Passphrase = func(context.Context) (string, error) { return j.Opens, nil }
	store, err := NewStore(cfg)
	if err != nil || j.Supplied == nil {
		return store, err
	}
	return WithSupply(store, Supply{
		ClientSecret: FixedSecret(j.Supplied.ClientSecret), RefreshToken: FixedSecret(j.Supplied.RefreshToken),
		Passphrase: FixedSecret(j.Supplied.Passphrase), PrivateKey: FixedSecret(j.Supplied.PrivateKey),
	}), nil
}

// errNotPortable says that there is no helper for this: a renewal has to run in this process.
var errNotPortable = errors.New("the renewal can't be given to a helper")

// helper runs renewals in processes of their own.
type helper struct {
	command []string
	config  BoxConfig

	running chan struct{} // closed when the helper ends that an earlier renewal has not waited for
}

// report is what a helper answers.
type report struct {
	Error *Error `json:",omitempty"`
	Cause string
	After time.Duration
}

// renew has a helper renew what is stored. It returns errNotPortable where that can't be begun.
func (h *helper) renew(ctx context.Context, store Store, j job) error {
	p, ok := store.(portable)
	if !ok {
		return errNotPortable
	}
	if err := p.describe(ctx, &j); err != nil {
		return err
	}
	j.TokenURL, j.ClientID, j.CAFile = h.config.TokenURL, h.config.ClientID, h.config.CAFile
	told, err := json.Marshal(j)
	if err != nil {
		return errNotPortable
	}
	slow := &Error{Kind: Unreachable, Action: "the renewal takes long", Err: context.DeadlineExceeded}
	if h.running != nil {
		select {
		case <-h.running:
		case <-ctx.Done():
			return slow
		}
	}
	cmd := exec.Command(h.command[0], h.command[1:]...)
	cmd.Env, cmd.Dir = CommandEnviron(), "/"
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	cmd.Stdin = bytes.NewReader(told)
	out := &bounded{max: 64 << 10}
	cmd.Stdout = out
	if cmd.Start() != nil {
		return errNotPortable
	}
	ended := make(chan struct{})
	h.running = ended
	var failure error
	go func() {
		failure = cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		return slow // the helper goes on
	}
	var r report
	if json.Unmarshal(out.Bytes(), &r) != nil {
		return &Error{Kind: Unreachable, Action: "the process that renews the sign-in has ended without an answer", Err: failure}
	}
	if r.Error == nil {
		return nil
	}
	r.Error.after = r.After
	if r.Cause != "" {
		r.Error.Err = errors.New(r.Cause)
	}
	return r.Error
}

// storeTries and storePause are how often, and how far apart, a helper tries to store what it got.
const (
	storeTries = 60
	storePause = 10 * time.Second
)

// ServeRenewal does the renewal that in describes and writes to out what came of it. It is what BoxConfig.Helper runs. transport
// makes what carries requests, given BoxConfig.CAFile. The caller sees to it that signals do not end the process.
func ServeRenewal(ctx context.Context, in io.Reader, out io.Writer, transport func(caFile string) (http.RoundTripper, error)) error {
	var j job
	if err := json.NewDecoder(io.LimitReader(in, 2*maxCredentials)).Decode(&j); err != nil {
		return errors.New("this command is for workfs itself, which tells it what to do") // err may quote a secret
	}
	err := j.run(ctx, transport)
	r := report{}
	if err != nil {
		e := &Error{Kind: Broken, Action: "the renewal fails", Err: err}
		errors.As(err, &e)
		if e.Err != nil {
			r.Cause = e.Err.Error()
		}
		r.After = e.after
		r.Error = &Error{Kind: e.Kind, Code: e.Code, Action: e.Action, Reason: e.Reason}
	}
	return json.NewEncoder(out).Encode(r)
}

func (j *job) run(ctx context.Context, transport func(caFile string) (http.RoundTripper, error)) error {
	store, err := j.store()
	if err != nil {
		return err
	}
	carrier, err := transport(j.CAFile)
	if err != nil {
		return err
	}
	s, ok := NewBox(BoxConfig{TokenURL: j.TokenURL, ClientID: j.ClientID}, store, carrier).(*source)
	if !ok {
		return errNotPortable
	}
	s.current.value, s.refused = j.Current, j.Refused
	for try := 1; ; try++ {
		if j.Force {
			err = s.Renew(ctx)
		} else {
			_, err = s.Token(ctx)
		}
		if s.unsaved == nil || try == storeTries {
			return err
		}
		time.Sleep(storePause)
	}
}
