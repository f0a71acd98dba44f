package auth

import (
	"context"
	"errors"
)

// Supply are the secrets of a connection that come from elsewhere than its store: from the environment, files or commands. nil
// ones don't.
type Supply struct {
	ClientSecret, RefreshToken, Passphrase, PrivateKey Secret
}

// WithSupply lays the secrets of supply over those of a store.
//
// ClientSecret, Passphrase and PrivateKey take the place of what the store has and are not written to it. RefreshToken is a
// seed: it is used where the store has none, and when it is another one than when the store was last written. Its successors
// are stored, for which the store is made if need be; where that fails, the seed is not used, for it may work once only. So a
// new seed ends a stored sign-in, and a sign-in ends a seed.
//
// Credentials from a seed have a Lineage that is a hash of it.
func WithSupply(store Store, supply Supply) Store { return &supplied{store, supply} }

type supplied struct {
	Store
	supply Supply
}

// Load implements Store.
func (s *supplied) Load() (Credentials, error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	over, err := s.ask(ctx)
	if err != nil {
		return Credentials{}, err
	}
	c, err := s.Store.Load()
	if errors.Is(err, ErrNoCredentials) && over != (Credentials{}) {
		err = nil
	}
	if err != nil {
		return Credentials{}, err
	}
	over.lay(&c)
	return c, nil
}

// preparing is a Store that heeds which refresh token is used in place of the stored one.
type preparing interface {
	// update is Update that has prepare change the credentials before fn gets them.
	update(ctx context.Context, prepare func(*Credentials), fn func(*Credentials) error) error
}

// Update implements Store.
func (s *supplied) Update(ctx context.Context, fn func(*Credentials) error) error {
	over, err := s.ask(ctx)
	if err != nil {
		return err
	}
	var own Credentials
	lay := func(c *Credentials) { own = *c; over.lay(c) }
	change := func(c *Credentials) error {
		if err := fn(c); err != nil {
			return err
		}
		over.lift(c, own)
		return nil
	}
	if p, ok := s.Store.(preparing); ok {
		return p.update(ctx, lay, change)
	}
	return s.Store.Update(ctx, func(c *Credentials) error { lay(c); return change(c) })
}

// Create implements Store.
func (s *supplied) Create(ctx context.Context, c Credentials) error {
	over, err := s.ask(ctx)
	if err != nil {
		return err
	}
	over.lift(&c, Credentials{})
	if over.RefreshToken != "" {
		c.Seed = hashOf(over.RefreshToken)
	}
	return s.Store.Create(ctx, c)
}

// ask gives the secrets of the supply.
func (s *supplied) ask(ctx context.Context) (c Credentials, err error) {
	for _, f := range []struct {
		secret Secret
		value  *string
	}{
		{s.supply.ClientSecret, &c.ClientSecret}, {s.supply.RefreshToken, &c.RefreshToken},
		{s.supply.Passphrase, &c.Passphrase}, {s.supply.PrivateKey, &c.PrivateKey},
	} {
		if f.secret == nil {
			continue
		}
		if *f.value, err = f.secret(ctx); err != nil {
			return Credentials{}, err
		}
	}
	return c, nil
}

// fixed are the secrets that no renewal changes.
func (c *Credentials) fixed() [3]*string {
	return [...]*string{&c.ClientSecret, &c.Passphrase, &c.PrivateKey}
}

// lay lays supplied secrets over stored ones.
func (over *Credentials) lay(c *Credentials) {
	if seed := over.RefreshToken; seed != "" && (c.RefreshToken == "" || c.Seed != hashOf(seed)) {
		// Another sign-in, of which nothing is known. The secrets of the application stay.
		*c = Credentials{
			ClientSecret: c.ClientSecret, Passphrase: c.Passphrase, PrivateKey: c.PrivateKey, SecretExpiresAt: c.SecretExpiresAt,
			RefreshToken: seed, Seed: hashOf(seed), Lineage: hashOf(seed),
		}
	}
	for i, secret := range over.fixed() {
		if *secret != "" {
			*c.fixed()[i] = *secret
		}
	}
}

// lift undoes lay: where c still has a supplied secret it gets back what own had, so that it is not stored.
func (over *Credentials) lift(c *Credentials, own Credentials) {
	for i, secret := range over.fixed() {
		if *secret != "" && *c.fixed()[i] == *secret {
			*c.fixed()[i] = *own.fixed()[i]
		}
	}
}
