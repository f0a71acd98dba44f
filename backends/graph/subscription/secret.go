package subscription

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

// memoryKey is where the secrets of a connection are kept.
const memoryKey = "graph/subscriptions"

const (
	// keyAge is the age at which a new key pair is made. keysKept is how many there are at most: what is under way was
	// encrypted for an old one, and subscriptions change over when they are renewed.
	keyAge   = 365 * 24 * time.Hour
	keysKept = 3
	keyBits  = 2048
)

// secrets are what subscriptions are derived from, and the keys that notifications are encrypted for.
type secrets struct {
	memory backends.Memory
	scope  string // whose subscriptions they are

	mu   sync.Mutex
	kept kept
	keys map[string]*rsa.PrivateKey // by id
}

// kept is what memory holds.
type kept struct {
	Secret []byte    `json:"secret"`
	Keys   []keyPair `json:"keys,omitempty"` // the newest first
}

// keyPair is a key with its certificate.
type keyPair struct {
	ID          string    `json:"id"`
	Made        time.Time `json:"made"`
	Private     []byte    `json:"private"`     // PKCS #8
	Certificate []byte    `json:"certificate"` // DER
}

// loadSecrets reads the secrets, and makes them the first time.
func loadSecrets(memory backends.Memory, scope string) (*secrets, error) {
	s := &secrets{memory: memory, scope: scope, keys: map[string]*rsa.PrivateKey{}}
	if data, ok := memory.Get(memoryKey); ok && json.Unmarshal(data, &s.kept) == nil && len(s.kept.Secret) >= 32 {
		for _, k := range s.kept.Keys {
			if key, err := x509.ParsePKCS8PrivateKey(k.Private); err == nil {
				if private, ok := key.(*rsa.PrivateKey); ok {
					s.keys[k.ID] = private
				}
			}
		}
		return s, nil
	}
	s.kept = kept{Secret: make([]byte, 32)}
	rand.Read(s.kept.Secret) // never fails
	return s, s.save()
}

// save writes the secrets; mu is held or nobody else knows s.
func (s *secrets) save() error {
	data, err := json.Marshal(s.kept)
	if err != nil {
		return err
	}
	return s.memory.Put(memoryKey, data)
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// derive gives 128 bits that only who has the secret can tell, in letters and digits.
func (s *secrets) derive(parts ...string) string {
	mac := hmac.New(sha256.New, s.kept.Secret)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s,", len(p), p)
	}
	return base32Lower.EncodeToString(mac.Sum(nil)[:16])
}

// tag names a wish in addresses. A wish that asks for anything else has another one.
func (s *secrets) tag(w Wish, data bool) string {
	return s.derive("address", s.scope, w.Resource, w.Changes, strings.Join(w.Prefer, "\n"), fmt.Sprint(data))
}

// clientState is what the notifications of a wish have to say.
func (s *secrets) clientState(tag string) string { return s.derive("state", tag) }

// current gives the certificate to encrypt notifications for at a time, in base64, and its id.
func (s *secrets) current(now time.Time) (certificate, id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept.Keys) == 0 || now.Sub(s.kept.Keys[0].Made) > keyAge {
		pair, private, err := newKeyPair(now)
		if err != nil {
			return "", "", err
		}
		s.keys[pair.ID] = private
		s.kept.Keys = append([]keyPair{pair}, s.kept.Keys...)
		if len(s.kept.Keys) > keysKept {
			delete(s.keys, s.kept.Keys[keysKept].ID)
			s.kept.Keys = s.kept.Keys[:keysKept]
		}
		if err := s.save(); err != nil {
			return "", "", err
		}
	}
	k := s.kept.Keys[0]
	return base64.StdEncoding.EncodeToString(k.Certificate), k.ID, nil
}

// key gives the private key of a certificate, nil if there is none (any more).
func (s *secrets) key(id string) *rsa.PrivateKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[id]
}

func newKeyPair(now time.Time) (keyPair, *rsa.PrivateKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return keyPair{}, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return keyPair{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "workfs notifications"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(2 * keyAge), KeyUsage: x509.KeyUsageKeyEncipherment,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return keyPair{}, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return keyPair{}, nil, err
	}
	sum := sha256.Sum256(certificate)
	return keyPair{ID: hex.EncodeToString(sum[:16]), Made: now, Private: der, Certificate: bytes.Clone(certificate)}, private, nil
}
