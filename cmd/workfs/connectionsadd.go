package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// connectionDraft is what the flags of `connections add` say.
type connectionDraft struct {
	kind, auth, store                          string
	settings                                   []string
	secretFile, tokenFile, phraseFile, keyFile string
	secretExpires, scope                       string
	replace, asJSON                            bool
}

func connectionsAddCommand(g *global) *cobra.Command {
	var d connectionDraft
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a connection without a person: settings from flags, secrets from files",
		Long: "Add a connection to the configuration and put its secrets into its store, without a person and without a request. It\n" +
			"stores what workfs login does. --set KEY=VALUE sets any key of [connections.NAME]; lists have commas between their\n" +
			"values, relative paths are relative to the configuration file. Secrets are copied from the files that the flags name\n" +
			"(- asks for one, or reads it from standard input); to have a secret read from its file each time, --set client_secret_file=FILE instead.",
		Example: "  workfs connections add contoso --type microsoft --auth app --set tenant=contoso.com --set client_id=ID --client-secret-file secret\n" +
			"  workfs connections add box --type box --auth jwt --set jwt_config=/etc/workfs/box.json --set enterprise=true",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return g.addConnection(cmd, args[0], d) },
	}
	f := cmd.Flags()
	f.StringVar(&d.kind, "type", "", "microsoft or box")
	f.StringVar(&d.auth, "auth", "", "delegated, app or token for microsoft; oauth, ccg, jwt or token for box")
	f.StringVar(&d.store, "store", "", "where secrets are kept: "+strings.Join(auth.StoreKinds(), ", ")+"; file when nothing is said")
	f.StringArrayVar(&d.settings, "set", nil, "KEY=VALUE, a key of the connection; as often as needed")
	f.StringVar(&d.secretFile, "client-secret-file", "", "file of the client secret to store")
	f.StringVar(&d.tokenFile, "refresh-token-file", "", "file of the refresh token to store")
	f.StringVar(&d.phraseFile, "passphrase-file", "", "file of the private key's passphrase to store")
	f.StringVar(&d.keyFile, "private-key-file", "", "file of the private key in PEM form to store")
	f.StringVar(&d.scope, "granted", "", "what the refresh token was granted, separated by spaces")
	f.StringVar(&d.secretExpires, "secret-expires", "", "day on which the client secret ends (2027-01-31), so that workfs can warn")
	f.BoolVar(&d.replace, "replace", false, "replace a connection of that name, with its settings; secrets that are not given stay")
	f.BoolVar(&d.asJSON, "json", false, "print JSON")
	return cmd
}

func (g *global) addConnection(cmd *cobra.Command, name string, d connectionDraft) error {
	file, err := g.loadOrNew(cmd)
	if err != nil {
		return err
	}
	keys, err := d.keys()
	if err != nil {
		return withCode(codeUsage, err)
	}
	secrets, err := d.secrets(cmd.Context(), newTerminal(cmd.InOrStdin(), cmd.ErrOrStderr()), cmd.InOrStdin())
	if err != nil {
		return err
	}
	proposal, err := config.Propose(g.configFile, g.stateDir, name, keys)
	if err != nil {
		return withCode(codeUsage, err)
	}
	conn, err := proposal.Resolve()
	if err != nil {
		return withCode(codeUsage, fmt.Errorf("connection %q: %w", name, err))
	}
	change := connectionChange{Name: name, Change: "added", Config: g.configFile}
	put := config.Add
	if d.replace {
		put = config.Put
	}
	if d.replace && file != nil && file.InFile(name) {
		change.Change = "replaced"
	}
	if secrets != (auth.Credentials{}) && conn.Store == nil {
		return withCode(codeUsage, errors.New("with auth = \"token\" the command has all secrets, and none is stored"))
	}
	if conn.Store != nil {
		change.Store = conn.Store.String()
	}
	// The file first: it refuses a second connection of the name, whose secrets these would replace.
	if err := put(g.configFile, name, keys); err != nil {
		return withCode(codeUsage, err)
	}
	if secrets != (auth.Credentials{}) {
		if err := storeSecrets(cmd.Context(), conn.Store, secrets); err != nil {
			if !d.replace {
				err = errors.Join(err, config.Remove(g.configFile, name))
			}
			return err
		}
	}
	if life, err := lifeOf(conn); err != nil {
		change.Notes = append(change.Notes, "it is not signed in yet: "+err.Error())
	} else if gaps := missing(conn, life); len(gaps) > 0 {
		change.Notes = append(change.Notes, fmt.Sprintf("%d permissions are missing: workfs connections show %s", len(gaps), shellWord(name)))
	}
	change.Mounts = reloadMounts(cmd.Context(), cmd.ErrOrStderr(), name)
	return change.print(cmd, d.asJSON)
}

// keys gives what the flags put into the configuration.
func (d *connectionDraft) keys() (map[string]any, error) {
	keys, err := config.ParseKeys(d.settings)
	if err != nil {
		return nil, err
	}
	for _, flag := range []struct{ key, value string }{{"type", d.kind}, {"auth", d.auth}, {"store", d.store}} {
		if flag.value == "" {
			continue
		}
		if _, twice := keys[flag.key]; twice {
			return nil, fmt.Errorf("--%s and --set %s=… say the same: leave one out", flag.key, flag.key)
		}
		keys[flag.key] = flag.value
	}
	if d.replace {
		for _, key := range config.Keys() {
			if _, given := keys[key]; !given {
				keys[key] = nil
			}
		}
	}
	return keys, nil
}

// secrets reads the files that the flags name. A person at a terminal is asked instead, and what they type is not shown.
func (d *connectionDraft) secrets(ctx context.Context, t *terminal, stdin io.Reader) (c auth.Credentials, err error) {
	asked := []struct {
		path, name string
		into       *string
	}{
		{d.secretFile, "client secret", &c.ClientSecret}, {d.tokenFile, "refresh token", &c.RefreshToken},
		{d.phraseFile, "passphrase", &c.Passphrase}, {d.keyFile, "private key", &c.PrivateKey},
	}
	fromStdin := 0
	for _, s := range asked {
		if s.path == "-" {
			fromStdin++
		}
	}
	if fromStdin > 1 && (!t.person || d.keyFile == "-") {
		return c, withCode(codeUsage, errors.New("only one secret can come from standard input"))
	}
	for _, s := range asked {
		switch {
		case s.path == "":
			continue
		case s.path != "-":
			*s.into, err = readSecretFile(s.path, s.name)
		case s.into == &c.PrivateKey: // it has several lines, which nobody types
			*s.into, err = readSecret(stdin, "standard input", s.name)
		default:
			*s.into, err = askSecret(ctx, t, stdin, s.name)
		}
		if err != nil {
			return c, err
		}
	}
	if d.secretExpires != "" {
		if c.SecretExpiresAt, err = time.Parse(time.DateOnly, d.secretExpires); err != nil {
			return c, withCode(codeUsage, fmt.Errorf("--secret-expires %q is not a day like 2027-01-31", d.secretExpires))
		}
	}
	if d.scope != "" && c.RefreshToken == "" {
		return c, withCode(codeUsage, errors.New("--granted is what --refresh-token-file was granted: give both"))
	}
	if c.RefreshToken != "" {
		var lineage [16]byte
		rand.Read(lineage[:]) // never fails (crypto/rand)
		c.Lineage, c.Scope = hex.EncodeToString(lineage[:]), strings.Join(strings.Fields(d.scope), " ")
	}
	return c, nil
}

// readSecretFile reads a secret to be stored. What the file's permissions are is its owner's affair: it may be a pipe.
func readSecretFile(path, name string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", withCode(codeUsage, err)
	}
	defer f.Close()
	return readSecret(f, path, name)
}

// storeSecrets puts secrets into a store and keeps those that are there and not given. A refresh token is another sign-in, of
// which nothing is known; a token that other secrets made is forgotten. The store is locked meanwhile: a mount may be about to
// replace a refresh token that works once.
func storeSecrets(ctx context.Context, store auth.Store, given auth.Credentials) error {
	return store.Update(ctx, func(c *auth.Credentials) error {
		*c = auth.Credentials{
			ClientSecret: cmp.Or(given.ClientSecret, c.ClientSecret), PrivateKey: cmp.Or(given.PrivateKey, c.PrivateKey),
			Passphrase: cmp.Or(given.Passphrase, c.Passphrase), SecretExpiresAt: c.SecretExpiresAt,
			RefreshToken: c.RefreshToken, Lineage: c.Lineage, Account: c.Account, Scope: c.Scope, SignedInAt: c.SignedInAt, RefreshedAt: c.RefreshedAt,
			Seed: c.Seed, // is that of the configuration's refresh token, if it has one: the given one is newer
		}
		if given.RefreshToken != "" {
			c.RefreshToken, c.Lineage, c.Scope, c.Account = given.RefreshToken, given.Lineage, given.Scope, ""
			c.SignedInAt, c.RefreshedAt = time.Time{}, time.Time{}
		}
		if given.ClientSecret != "" || !given.SecretExpiresAt.IsZero() {
			c.SecretExpiresAt = given.SecretExpiresAt
		}
		return nil
	})
}
