package main

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/auth/keygen"
)

// keygenFlags are what both services have.
type keygenFlags struct {
	out                       string
	bits                      int
	phraseFile, phraseCommand string
	force, json               bool
}

func keygenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make the key by which an application proves itself",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(keygenMicrosoftCommand(), keygenBoxCommand())
	return cmd
}

func (k *keygenFlags) add(cmd *cobra.Command, service string) {
	f := cmd.Flags()
	f.StringVar(&k.out, "out", "workfs-"+service, "beginning of the paths to write, or a directory")
	f.IntVar(&k.bits, "bits", 2048, "length of the key: 2048, 3072 or 4096")
	f.StringVar(&k.phraseFile, "passphrase-file", "", "encrypt the key with the passphrase in this file; - asks for one, or reads it from standard input")
	f.StringVar(&k.phraseCommand, "passphrase-command", "", "encrypt the key with the passphrase that this shell command prints")
	f.BoolVar(&k.force, "force", false, "replace files that are there")
	f.BoolVar(&k.json, "json", false, "print the result as JSON")
	cmd.MarkFlagsMutuallyExclusive("passphrase-file", "passphrase-command")
}

// path gives the path of a file to write.
func (k *keygenFlags) path(service, part string) string {
	prefix := k.out
	if info, err := os.Stat(prefix); err == nil && info.IsDir() || strings.HasSuffix(prefix, string(filepath.Separator)) {
		prefix = filepath.Join(prefix, "workfs-"+service)
	}
	return prefix + "-" + part + ".pem"
}

// passphrase gives the passphrase for the key, "" for none.
func (k *keygenFlags) passphrase(cmd *cobra.Command) (string, error) {
	var read auth.Secret
	switch {
	case k.phraseCommand != "":
		read = auth.CommandSecret(k.phraseCommand)
	case k.phraseFile == "-":
		read = func(ctx context.Context) (string, error) { return newPassphrase(ctx, cmd) }
	case k.phraseFile != "":
		read = auth.FileSecret(k.phraseFile)
	default:
		return "", nil
	}
	return read(cmd.Context())
}

// newPassphrase asks for a passphrase twice, or reads one from standard input where nobody sits there.
func newPassphrase(ctx context.Context, cmd *cobra.Command) (string, error) {
	t := newTerminal(cmd.InOrStdin(), cmd.ErrOrStderr())
	first, err := askSecret(ctx, t, cmd.InOrStdin(), "passphrase for the new key")
	if err != nil || !t.person {
		return first, err
	}
	again, err := t.secret(ctx, "Once more: ")
	if err == nil && again != first {
		err = withCode(codeUsage, errors.New("the passphrases differ"))
	}
	return first, err
}

// write writes the files and words what stands in the way.
func (k *keygenFlags) write(files []keygen.File) error {
	err := keygen.WriteFiles(files, k.force)
	if errors.Is(err, fs.ErrExist) {
		return withCode(codeUsage, fmt.Errorf("%w: nothing was written; --force replaces it, and what is signed in with that key stops working", err))
	}
	return err
}

// madeCertificate is what keygen microsoft --json prints.
type madeCertificate struct {
	PrivateKey  string       `json:"private_key"`
	Certificate string       `json:"certificate"`
	Subject     string       `json:"subject"`
	SHA1        string       `json:"sha1"`
	SHA256      string       `json:"sha256"`
	NotBefore   time.Time    `json:"not_before"`
	NotAfter    time.Time    `json:"not_after"`
	Entry       keygen.Entry `json:"key_credentials_entry"`
}

func keygenMicrosoftCommand() *cobra.Command {
	var k keygenFlags
	var subject, format string
	var days int
	cmd := &cobra.Command{
		Use:   "microsoft",
		Short: "Make a key and a certificate for an app registration",
		Long: "Make a private key and a certificate that it signs itself, by which an application of Microsoft Entra proves itself\n" +
			"instead of a client secret, and print the entry of the application's manifest that registers it.",
		Example: "  workfs keygen microsoft --out /etc/workfs/ --subject 'CN=workfs,O=Contoso' --days 180",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, err := keygen.ParseSubject(subject)
			if err != nil {
				return withCode(codeUsage, err)
			}
			passphrase, err := k.passphrase(cmd)
			if err != nil {
				return err
			}
			key, err := keygen.NewKey(k.bits)
			if err != nil {
				return withCode(codeUsage, err)
			}
			certificate, err := keygen.NewCertificate(key, name, time.Now(), days)
			if err != nil {
				return withCode(codeUsage, err)
			}
			entry, err := keygen.NewEntry(certificate, format)
			if err != nil {
				return withCode(codeUsage, err)
			}
			private, err := keygen.PrivatePEM(key, passphrase)
			if err != nil {
				return err
			}
			made := describeCertificate(certificate)
			made.PrivateKey, made.Certificate, made.Entry = k.path("microsoft", "key"), k.path("microsoft", "cert"), entry
			if err := k.write([]keygen.File{
				{Path: made.PrivateKey, Data: private, Mode: 0o600},
				{Path: made.Certificate, Data: keygen.CertificatePEM(certificate), Mode: 0o644},
			}); err != nil {
				return err
			}
			if k.json {
				return printJSON(cmd.OutOrStdout(), made)
			}
			return made.print(cmd.OutOrStdout(), passphrase != "")
		},
	}
	k.add(cmd, "microsoft")
	f := cmd.Flags()
	f.StringVar(&subject, "subject", "CN=workfs", "name in the certificate: CN=name,O=organisation or /C=DE/O=organisation/CN=name")
	f.IntVar(&days, "days", 365, fmt.Sprintf("how long the certificate is good, at most %d", keygen.MaxDays))
	f.StringVar(&format, "format", "graph", "of the manifest entry: graph, or aad for the older manifest")
	return cmd
}

func describeCertificate(c *x509.Certificate) madeCertificate {
	return madeCertificate{
		Subject: c.Subject.String(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
		SHA1: fmt.Sprintf("%X", sha1.Sum(c.Raw)), SHA256: fmt.Sprintf("%X", sha256.Sum256(c.Raw)),
	}
}

func (m madeCertificate) print(out io.Writer, encrypted bool) error {
	entry, err := json.MarshalIndent(m.Entry, "", "  ")
	if err != nil {
		return err
	}
	phrase := ""
	if encrypted {
		phrase = " --passphrase-file -"
	}
	_, err = fmt.Fprintf(out, `private key   %s (keep it here, and to yourself)
certificate   %s
subject       %s
thumbprint    %s
good until    %s

Entry for keyCredentials in the manifest of the app registration:

%s

Next: in the Entra admin centre open App registrations, the application, Certificates & secrets, Certificates, and upload
%s. Or open Manifest there and add the entry above to keyCredentials, beside those that it has. Then sign in:

  workfs login microsoft --app-only --tenant TENANT --client-id ID --certificate %s --private-key %s%s
`, printable(m.PrivateKey), printable(m.Certificate), printable(m.Subject), m.SHA1, m.NotAfter.Format("2006-01-02"), entry,
		printable(m.Certificate), shellWord(m.Certificate), shellWord(m.PrivateKey), phrase)
	return err
}

// madeKey is what keygen box --json prints.
type madeKey struct {
	PrivateKey string `json:"private_key"`
	PublicKey  string `json:"public_key"`
	PublicPEM  string `json:"public_key_pem"`
}

func keygenBoxCommand() *cobra.Command {
	var k keygenFlags
	cmd := &cobra.Command{
		Use:   "box",
		Short: "Make a key pair for server authentication with JWT",
		Long: "Make the key pair by which an application of Box signs in by itself (server authentication with JWT), and print the\n" +
			"public key for Box's developer console. Box can make the pair instead; workfs login box --jwt takes the file that it gives.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			passphrase, err := k.passphrase(cmd)
			if err != nil {
				return err
			}
			key, err := keygen.NewKey(k.bits)
			if err != nil {
				return withCode(codeUsage, err)
			}
			private, err := keygen.PrivatePEM(key, passphrase)
			if err != nil {
				return err
			}
			public, err := keygen.PublicPEM(key)
			if err != nil {
				return err
			}
			made := madeKey{k.path("box", "key"), k.path("box", "public"), string(public)}
			if err := k.write([]keygen.File{
				{Path: made.PrivateKey, Data: private, Mode: 0o600}, {Path: made.PublicKey, Data: public, Mode: 0o644},
			}); err != nil {
				return err
			}
			if k.json {
				return printJSON(cmd.OutOrStdout(), made)
			}
			return made.print(cmd.OutOrStdout(), passphrase != "")
		},
	}
	k.add(cmd, "box")
	return cmd
}

func (m madeKey) print(out io.Writer, encrypted bool) error {
	phrase := ""
	if encrypted {
		phrase = " --passphrase-file -"
	}
	_, err := fmt.Fprintf(out, `private key   %s (keep it here, and to yourself)
public key    %s

%s
Next: in Box's developer console open the application, Configuration, Add and Manage Public Keys, Add a Public Key, and paste
the lines above. Box shows the Public Key ID then. An administrator has to authorise the application. Then sign in:

  workfs login box --client-id ID --enterprise-id ID --public-key-id ID --private-key %s%s
`, printable(m.PrivateKey), printable(m.PublicKey), m.PublicPEM, shellWord(m.PrivateKey), phrase)
	return err
}

// shellWord quotes a text so that a shell takes it for one word.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+=:@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(printable(s), "'", `'\''`) + "'"
}
