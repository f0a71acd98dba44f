package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// readOwn collects what the application proves itself with: from its store, what the configuration names, and standard input.
func (l *login) readOwn(ctx context.Context, conn backends.Connection) error {
	own, err := conn.Store.Load()
	if former := l.former(conn); former != nil {
		old, oldErr := former.Load()
		if oldErr == nil && l.secretFile+l.secretCommand == "" {
			err = nil // the new store is empty, or its file still has the old one's form
		}
		own.ClientSecret = cmp.Or(own.ClientSecret, old.ClientSecret)
		own.PrivateKey = cmp.Or(own.PrivateKey, old.PrivateKey)
		own.Passphrase = cmp.Or(own.Passphrase, old.Passphrase)
		if own.SecretExpiresAt.IsZero() {
			own.SecretExpiresAt = old.SecretExpiresAt
		}
	}
	if err != nil && !errors.Is(err, auth.ErrNoCredentials) {
		if l.before == nil || l.secretFile+l.secretCommand+l.phraseFile+l.phraseCommand != "" {
			return err
		}
		l.say("What is stored of this connection can't be used and will be replaced: %v", err)
	}
	l.own = auth.Credentials{
		ClientSecret: own.ClientSecret, PrivateKey: own.PrivateKey, Passphrase: own.Passphrase, SecretExpiresAt: own.SecretExpiresAt,
	}
	for _, s := range []struct {
		file, name string
		into       *string
	}{{l.secretFile, "client secret", &l.own.ClientSecret}, {l.phraseFile, "passphrase", &l.own.Passphrase}} {
		if s.file != "-" {
			continue
		}
		if *s.into, err = l.secret(ctx, s.name); err != nil {
			return err
		}
	}
	if conn.Certificate != "" {
		l.own.ClientSecret = "" // it takes the secret's place
	}
	if end, err := l.secretEnd(); err != nil || !end.IsZero() || l.secretFile != "" || l.secretCommand != "" {
		l.own.SecretExpiresAt = end // an old one was another secret's
		return err
	}
	return nil
}

// former is the store that the connection had before, where conn has another one; else nil.
func (l *login) former(conn backends.Connection) auth.Store {
	if l.before == nil || l.before.Store == nil || l.before.Store.String() == conn.Store.String() {
		return nil
	}
	return l.before.Store
}

// secret asks for a secret, or reads it from standard input where nobody sits there.
func (l *login) secret(ctx context.Context, name string) (string, error) {
	return askSecret(ctx, l.term, l.cmd.InOrStdin(), name)
}

// needSecret asks for the client secret where there is none yet, and refuses where there is nobody to ask.
func (l *login) needSecret(ctx context.Context) error {
	if l.own.ClientSecret != "" {
		return nil
	}
	if !l.term.person {
		return withCode(codeUsage, errors.New("the client secret is needed: --client-secret-file FILE, or - to read it from standard input, or --client-secret-command"))
	}
	var err error
	l.own.ClientSecret, err = l.secret(ctx, "client secret")
	return err
}

// trial is a connection whose credentials are in memory until they are known to work.
type trial struct {
	conn  backends.Connection // with store
	store *memoryStore
	into  backends.Connection // with its own store
}

func newTrial(conn backends.Connection, c auth.Credentials) trial {
	t := trial{conn: conn, store: &memoryStore{c: c}, into: conn}
	t.conn.Store = t.store
	return t
}
