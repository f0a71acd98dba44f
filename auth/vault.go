package auth

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"
)

// medium is where the bytes of a vault lie. All but read is called under the vault's lock.
type medium interface {
	// read gives the bytes, and ErrNoCredentials where there are none.
	read(ctx context.Context) ([]byte, error)
	// ready makes sure that bytes can be written, and gives what writes them. anew says that nothing of what the medium
	// holds is to be relied on.
	ready(ctx context.Context, anew bool) (writer, error)
	// remove leaves nothing behind.
	remove(ctx context.Context) error
	String() string
	portable
}

// writer replaces the bytes of a medium.
type writer interface {
	// write makes data durable. After it has failed it may be called again, with the same data.
	write(ctx context.Context, data []byte) error
	// close undoes what ready did, unless write has succeeded.
	close()
}

// vault is a Store: JSON on a medium, with a lock file beside it.
type vault struct {
	medium medium
	path   string // with ".lock" appended, the lock
}

const (
	// loadTimeout bounds Load, the question for a passphrase included.
	loadTimeout = time.Minute
	// writeTries is how often what fn left is written, since a rotation at the service can't be undone.
	writeTries = 4
)

// Load implements Store.
func (v *vault) Load() (Credentials, error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	c, _, err := v.read(ctx)
	return c, err
}

// String implements Store.
func (v *vault) String() string { return v.medium.String() }

// read also returns the members that this program does not know, so that Update keeps them.
func (v *vault) read(ctx context.Context) (Credentials, map[string]json.RawMessage, error) {
	var c Credentials
	data, err := v.medium.read(ctx)
	if err != nil {
		return c, nil, err
	}
	// The decoder's own message may quote the file, so it is not passed on.
	var all map[string]json.RawMessage
	if json.Unmarshal(data, &all) != nil || json.Unmarshal(data, &c) != nil {
		return Credentials{}, nil, broken(nil, "what is stored in "+v.String()+" is damaged: it must be a JSON object with client_secret and refresh_token as texts")
	}
	return c, all, nil
}

// Update implements Store.
func (v *vault) Update(ctx context.Context, fn func(*Credentials) error) error {
	return v.update(ctx, func(*Credentials) {}, fn)
}

// update implements preparing.
func (v *vault) update(ctx context.Context, prepare func(*Credentials), fn func(*Credentials) error) error {
	lock, err := takeLock(ctx, v.path+".lock", true)
	if err != nil {
		return err
	}
	defer lock.release()
	c, all, err := v.read(ctx)
	if err != nil && !errors.Is(err, ErrNoCredentials) {
		return err
	}
	w, err := v.medium.ready(ctx, false)
	if err != nil {
		return err
	}
	defer w.close()
	before := c
	prepare(&c)
	used := c.RefreshToken
	c.CutOff = lock.begin(used)
	err = fn(&c)
	if err != nil {
		// Where the service has answered, or was not asked, the token is what it was.
		var e *Error
		if errors.As(err, &e) && (e.Kind != Unreachable || e.unsent) {
			lock.settle(used)
		}
		return err
	}
	c.CutOff = time.Time{}
	if c == before {
		lock.settle(used)
		return nil
	}
	data, err := encode(c, all)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if err = w.write(ctx, data); err == nil {
			lock.settle(c.RefreshToken)
			return nil
		}
		if try == writeTries {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// Create implements Store.
func (v *vault) Create(ctx context.Context, c Credentials) error {
	lock, err := takeLock(ctx, v.path+".lock", true)
	if err != nil {
		return err
	}
	defer lock.release()
	w, err := v.medium.ready(ctx, true)
	if err != nil {
		return err
	}
	defer w.close()
	data, err := encode(c, nil)
	if err != nil {
		return err
	}
	if err := w.write(ctx, data); err != nil {
		return err
	}
	lock.settle(c.RefreshToken)
	return nil
}

// Delete implements Store.
func (v *vault) Delete(ctx context.Context) error {
	lock, err := takeLock(ctx, v.path+".lock", false)
	if err != nil || lock == nil {
		return err
	}
	defer lock.release()
	if err := v.medium.remove(ctx); err != nil {
		return err
	}
	return lock.remove()
}

// members are the names of all that Credentials holds.
var members = func() (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Credentials]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}()

// encode writes credentials beside the members that this program does not know.
func encode(c Credentials, all map[string]json.RawMessage) ([]byte, error) {
	known, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	for _, k := range members {
		delete(all, k)
	}
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	if err := json.Unmarshal(known, &all); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(all, "", "  ")
	return append(data, '\n'), err
}
