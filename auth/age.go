package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// scryptWork is the cost of guessing a passphrase, 2^scryptWork; age's own default, about a second.
const scryptWork = 18

// sealed is a medium of a file that is encrypted by age (age-encryption.org/v1).
//
// The file has two armored parts: an age identity, encrypted by the passphrase, and the credentials, encrypted to that
// identity. So a renewal costs no scrypt, and a process asks for the passphrase once. Cut apart into two files, `age -d -i
// FIRST SECOND` opens it. With an identity in place of a passphrase there is the second part only.
type sealed struct {
	file       *file
	passphrase func(ctx context.Context) (string, error)
	work       int // of scrypt

	mu   sync.Mutex
	key  age.Identity // what opens files whose first part is head, nil if unknown yet
	head string
}

func (s *sealed) String() string { return s.file.String() + " (encrypted)" }

func (s *sealed) read(ctx context.Context) ([]byte, error) {
	data, err := s.file.read(ctx)
	if err != nil {
		return nil, err
	}
	head, body := parts(data)
	key, err := s.open(ctx, head)
	if err != nil {
		return nil, err
	}
	plain, err := decrypt(body, key)
	if err != nil {
		return nil, s.unopened(err)
	}
	return plain, nil
}

// unopened words what came of opening a part of the file.
func (s *sealed) unopened(err error) error {
	var other *age.NoIdentityMatchError
	if errors.As(err, &other) {
		return broken(nil, "the passphrase does not open "+s.file.path)
	}
	return broken(nil, "the credentials file "+s.file.path+" is damaged, or not a file that this program encrypted")
}

// parts cuts a file into its encrypted identity, empty if it has none, and the credentials.
func parts(data []byte) (head, body string) {
	text := string(data)
	if i := strings.LastIndex(text, armor.Header); i > 0 {
		return text[:i], text[i:]
	}
	return "", text
}

// open gives the key of a file that begins with head.
func (s *sealed) open(ctx context.Context, head string) (age.Identity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil && s.head == head {
		return s.key, nil
	}
	given, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	key, err := identity(given)
	if err != nil {
		return nil, err
	}
	if key == nil {
		if head == "" {
			return nil, broken(nil, s.file.path+" is encrypted to an age identity: give that in place of a passphrase")
		}
		if key, err = s.openHead(head, given); err != nil {
			return nil, err
		}
	}
	s.key, s.head = key, head
	return key, nil
}

func (s *sealed) openHead(head, passphrase string) (age.Identity, error) {
	by, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, broken(nil, "the passphrase is empty")
	}
	text, err := decrypt(head, by)
	if err != nil {
		return nil, s.unopened(err)
	}
	key, err := age.ParseX25519Identity(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, s.unopened(err)
	}
	return key, nil
}

func (s *sealed) ask(ctx context.Context) (string, error) {
	if s.passphrase == nil {
		return "", broken(nil, s.file.path+" is encrypted: give passphrase_file or passphrase_command")
	}
	given, err := s.passphrase(ctx)
	if err == nil && given == "" {
		return "", broken(nil, "the passphrase of "+s.file.path+" is empty")
	}
	return given, err
}

// sealedWriter encrypts what a fileWriter writes.
type sealedWriter struct {
	writer
	medium *sealed
	head   string
	key    age.Identity
	to     age.Recipient
}

func (s *sealed) ready(ctx context.Context, anew bool) (writer, error) {
	var data []byte
	var err error
	if !anew {
		if data, err = s.file.read(ctx); errors.Is(err, ErrNoCredentials) {
			anew = true
		} else if err != nil {
			return nil, err
		}
	}
	var head string
	var key age.Identity
	if anew {
		head, key, err = s.start(ctx)
	} else {
		head, _ = parts(data)
		key, err = s.open(ctx, head)
	}
	if err != nil {
		return nil, err
	}
	to, err := recipient(key)
	if err != nil {
		return nil, err
	}
	w, err := s.file.ready(ctx, anew)
	if err != nil {
		return nil, err
	}
	return &sealedWriter{w, s, head, key, to}, nil
}

// start makes the key and the first part of a new file.
func (s *sealed) start(ctx context.Context) (string, age.Identity, error) {
	given, err := s.ask(ctx)
	if err != nil {
		return "", nil, err
	}
	if key, err := identity(given); key != nil || err != nil {
		return "", key, err
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return "", nil, broken(err, "no key can be made")
	}
	by, err := age.NewScryptRecipient(given)
	if err != nil {
		return "", nil, broken(nil, "the passphrase is empty")
	}
	by.SetWorkFactor(s.work)
	head, err := encrypt([]byte(key.String()+"\n"), by)
	if err != nil {
		return "", nil, broken(err, "the credentials can't be encrypted")
	}
	return head, key, nil
}

func (w *sealedWriter) write(ctx context.Context, data []byte) error {
	body, err := encrypt(data, w.to)
	if err != nil {
		return broken(err, "the credentials can't be encrypted")
	}
	if err := w.writer.write(ctx, []byte(w.head+body)); err != nil {
		return err
	}
	w.medium.mu.Lock()
	defer w.medium.mu.Unlock()
	w.medium.key, w.medium.head = w.key, w.head
	return nil
}

func (s *sealed) remove(ctx context.Context) error { return s.file.remove(ctx) }

// identity gives the age identity that stands in place of a passphrase, or nil.
func identity(given string) (age.Identity, error) {
	if !strings.Contains(given, "AGE-SECRET-KEY-") {
		return nil, nil
	}
	keys, err := age.ParseIdentities(strings.NewReader(given))
	if err != nil || len(keys) != 1 {
		return nil, broken(nil, "what stands in place of the passphrase is not one age identity") // err may quote it
	}
	return keys[0], nil
}

func recipient(key age.Identity) (age.Recipient, error) {
	switch key := key.(type) {
	case *age.X25519Identity:
		return key.Recipient(), nil
	case *age.HybridIdentity:
		return key.Recipient(), nil
	}
	return nil, broken(nil, fmt.Sprintf("an age identity of kind %T can't be used", key))
}

// keyText writes a key as identity reads it.
func keyText(key age.Identity) (string, error) {
	switch key := key.(type) {
	case *age.X25519Identity:
		return key.String(), nil
	case *age.HybridIdentity:
		return key.String(), nil
	}
	return "", errNotPortable
}

func encrypt(data []byte, to age.Recipient) (string, error) {
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, to)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	if err := errors.Join(w.Close(), armored.Close()); err != nil {
		return "", err
	}
	return out.String(), nil
}

func decrypt(text string, key age.Identity) ([]byte, error) {
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(text)), key)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxCredentials+1))
}
