package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/backends/rest"
)

// maxAPIInput bounds what --data may read.
const maxAPIInput = 64 << 20

// apiCall is one use of the command.
type apiCall struct {
	connection, data, asUser, output           string
	headers                                    []string
	beta, paginate, jsonLines, include, rawOut bool
}

func apiCommand(g *global) *cobra.Command {
	var a apiCall
	cmd := &cobra.Command{
		Use:   "api METHOD PATH",
		Short: "Send a request to the API behind a connection",
		Long: "Send a request to the API behind a connection, with its sign-in, limits and retries, and print the answer.\n" +
			"PATH is that of the API's documentation: /me/messages?$top=5 or /v1.0/… for Microsoft Graph, /users/me or /2.0/… for Box.\n" +
			"The token goes to the API of the connection and nowhere else; downloads are followed without it.\n" +
			"The answer of a request that is refused is printed as well; what was wrong is on standard error and in the exit code.",
		Example: "  workfs api GET '/me/mailFolders?$top=3' -c contoso\n" +
			"  workfs api GET /me/messages --paginate --jsonl -c contoso | jq -r .subject\n" +
			"  workfs api GET /folders/0/items --as-user carol@contoso.com -c box\n" +
			"  workfs api GET /files/12345/content --output report.pdf -c box",
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(g, cmd, args[0], args[1]) },
	}
	f := cmd.Flags()
	connectionFlag(f, &a.connection)
	f.StringArrayVarP(&a.headers, "header", "H", nil, "further header, \"Name: value\"")
	f.StringVar(&a.data, "data", "", "body of the request; @FILE or @- reads it")
	f.StringVar(&a.asUser, "as-user", "", "act as this user: a login or id of Box; with an application's sign-in to Microsoft, /me is this user")
	f.BoolVar(&a.beta, "beta", false, "use the beta version of Microsoft Graph")
	f.BoolVar(&a.paginate, "paginate", false, "ask for all pages of a list and print them as one")
	f.BoolVar(&a.jsonLines, "jsonl", false, "print the items of a list one per line (with --paginate)")
	f.BoolVar(&a.include, "include", false, "print the status and the headers of the answer first")
	f.BoolVar(&a.rawOut, "raw", false, "print the very bytes of the answer; with --paginate, page after page")
	f.StringVarP(&a.output, "output", "o", "", "write the answer to this file")
	return cmd
}

func (a *apiCall) run(g *global, cmd *cobra.Command, method, path string) error {
	if err := a.check(method); err != nil {
		return err
	}
	conn, options, closeLog, err := g.direct(cmd, a.connection)
	if err != nil {
		return err
	}
	defer closeLog()
	header, err := parseHeaders(a.headers)
	if err != nil {
		return err
	}
	if path, err = a.versioned(conn.Type, path); err != nil {
		return err
	}
	if path, err = a.actAs(cmd.Context(), conn, options, path, header); err != nil {
		return err
	}
	body, err := readData(cmd.InOrStdin(), a.data)
	if err != nil {
		return err
	}
	if body != nil && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	client, err := all.API(conn, options)
	if err != nil {
		return err
	}
	out, err := newAPIOutput(cmd.OutOrStdout(), a.output, a.rawOut)
	if err != nil {
		return err
	}
	defer out.discard()
	if a.paginate {
		p := pager{client: client, box: conn.Type == "box", header: header, out: out, lines: a.jsonLines, raw: a.rawOut}
		err = p.run(cmd.Context(), path)
	} else {
		err = a.once(cmd.Context(), client, strings.ToUpper(method), path, header, body, out)
	}
	if err != nil {
		var refused *rest.Error
		if errors.As(err, &refused) {
			out.refusal(refused, a.include)
		}
		return withoutMe(apiError(err, path), refused, conn, path)
	}
	return out.done()
}

// check refuses flags that contradict each other.
func (a *apiCall) check(method string) error {
	wrong := ""
	switch {
	case strings.Trim(strings.ToUpper(method), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || method == "":
		wrong = fmt.Sprintf("%q is no method: write GET, POST, PATCH, PUT, DELETE, …", method)
	case a.paginate && !strings.EqualFold(method, http.MethodGet):
		wrong = "--paginate goes with GET"
	case a.paginate && a.include:
		wrong = "--include shows the head of one answer, --paginate makes one of many"
	case a.jsonLines && !a.paginate:
		wrong = "--jsonl goes with --paginate"
	case a.jsonLines && a.rawOut:
		wrong = "--jsonl and --raw exclude each other"
	}
	if wrong != "" {
		return withCode(codeUsage, errors.New(wrong))
	}
	return nil
}

// once sends one request and prints its answer.
func (a *apiCall) once(ctx context.Context, client *rest.Client, method, path string, header http.Header, body []byte, out *apiOutput) error {
	res, err := client.Open(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if a.include {
		out.head(res.StatusCode, res.Header)
	}
	return out.body(res.Body, res.Header.Get("Content-Type"))
}

// connectionFlag adds the flag that names the connection of a direct command.
func connectionFlag(f *pflag.FlagSet, connection *string) {
	f.StringVarP(connection, "connection", "c", "", "connection of the configuration; not needed when there is one only")
}

// direct gives the connection that a command speaks to without a mount, and what a client of its API needs. The caller closes
// the log when done.
func (g *global) direct(cmd *cobra.Command, connection string) (conn backends.Connection, o backends.Options, closeLog func(), err error) {
	file, err := g.load(cmd, false)
	if err != nil {
		return conn, o, nil, err
	}
	if conn, err = oneConnection(file.Connections, connection); err != nil {
		return conn, o, nil, err
	}
	if !cmd.Flags().Changed("log-level") {
		g.logLevel = "error" // what the service refuses is the answer here
	}
	log, closeLog, err := g.logger()
	return conn, backends.Options{Log: log, UserAgent: userAgent()}, closeLog, err
}

// apiError words a refusal as the answer that it is to somebody who speaks to the API.
func apiError(err error, path string) error {
	var refused *rest.Error
	switch {
	case !errors.As(err, &refused):
		return err
	case refused.Status == 0 && isAddress(path) && errors.Is(err, backends.ErrBroken):
		return withCode(codeUsage, fmt.Errorf("%s is not at the API of this connection, and its token goes nowhere else", path))
	case refused.Status < 400:
		return err
	}
	text := strings.TrimSpace(fmt.Sprintf("%s: HTTP %d %s", refused.Op, refused.Status, refused.Code))
	if refused.Message != "" {
		text += ": " + refused.Message
	}
	if refused.RequestID != "" {
		text += " (request " + refused.RequestID + ")"
	}
	code := exitCode(err)
	if refused.Status == http.StatusMethodNotAllowed {
		code = codeOther
	}
	return withCode(code, errors.New(text))
}

// withoutMe adds to a refusal of /me what an application asks for instead.
func withoutMe(err error, refused *rest.Error, conn backends.Connection, path string) error {
	_, _, me := belowMe(path)
	if !me || conn.Type != "microsoft" || conn.Auth != "app" || refused == nil || refused.Status != http.StatusBadRequest {
		return err
	}
	return withCode(exitCode(err), fmt.Errorf("%w\nan application has no /me: use /users/ADDRESS, or --as-user ADDRESS", err))
}

// errNoConnection says that neither the configuration nor the environment has one.
var errNoConnection = errors.New("there is no connection: workfs login and workfs connections add make one")

// oneConnection gives the named connection, or the only one.
func oneConnection(connections []backends.Connection, name string) (backends.Connection, error) {
	if len(connections) == 0 {
		return backends.Connection{}, withCode(codeUsage, errNoConnection)
	}
	var names []string
	for _, c := range connections {
		if c.Name == name || name == "" && len(connections) == 1 {
			return c, nil
		}
		names = append(names, shellWord(c.Name))
	}
	if name == "" {
		return backends.Connection{}, withCode(codeUsage, fmt.Errorf("which connection? -c %s", strings.Join(names, " or -c ")))
	}
	return backends.Connection{}, withCode(codeUsage, fmt.Errorf("there is no connection %q: choose from %s", name, strings.Join(names, ", ")))
}

// isAddress tells whether a path is a whole address. One may stand in the query of a path.
func isAddress(path string) bool {
	scheme, _, ok := strings.Cut(path, "://")
	return ok && !strings.ContainsAny(scheme, "/?#")
}

// versioned puts the API's version before a path that has none. Whole addresses pass: the client refuses other hosts.
func (a *apiCall) versioned(kind, path string) (string, error) {
	// People write $filter=a eq 'b' as it is in the documentation.
	path = strings.ReplaceAll(path, " ", "%20")
	versions := []string{"/v1.0", "/beta"}
	if kind == "box" {
		versions = []string{"/2.0"}
	}
	version := versions[0]
	if a.beta {
		if kind == "box" {
			return "", withCode(codeUsage, errors.New("--beta is for Microsoft Graph: Box has one version"))
		}
		version = "/beta"
	}
	if isAddress(path) {
		return path, nil
	}
	path = "/" + strings.TrimPrefix(path, "/")
	for _, v := range versions {
		if strings.HasPrefix(path, v+"/") {
			if a.beta && v != version {
				return "", withCode(codeUsage, fmt.Errorf("the path asks for %s, --beta for another version", v[1:]))
			}
			return path, nil
		}
	}
	return version + path, nil
}

// actAs makes a request one of another user. With Box that is a header; at Microsoft Graph an application has no /me, so that
// it can be that of anybody.
func (a *apiCall) actAs(ctx context.Context, conn backends.Connection, o backends.Options, path string, header http.Header) (string, error) {
	if conn.Type == "box" {
		user := a.asUser
		if user == "" {
			user = conn.AsUser // the connection is this user's
		}
		if user == "" {
			return path, nil
		}
		if header.Get("As-User") != "" {
			return "", withCode(codeUsage, errors.New("an As-User header and a user to act as exclude each other"))
		}
		as, err := all.BoxAsUser(ctx, conn, o, user)
		if err != nil {
			return "", err
		}
		for name, values := range as {
			header[name] = values
		}
		return path, nil
	}
	if a.asUser == "" {
		return path, nil
	}
	if conn.Auth != "app" {
		return "", withCode(codeUsage, errors.New("--as-user needs an application's sign-in: a person's token is that person's"))
	}
	if version, rest, ok := belowMe(path); ok {
		return version + "/users/" + url.PathEscape(a.asUser) + rest, nil
	}
	return "", withCode(codeUsage, errors.New("--as-user is for paths below /me: elsewhere the path itself says whose it is"))
}

// belowMe cuts a path of Microsoft Graph at /me, if that is where it begins.
func belowMe(path string) (version, rest string, ok bool) {
	for _, version := range []string{"/v1.0", "/beta"} {
		rest, ok := strings.CutPrefix(path, version+"/me")
		if ok && (rest == "" || strings.ContainsRune("/?", rune(rest[0]))) {
			return version, rest, true
		}
	}
	return "", "", false
}

func parseHeaders(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, withCode(codeUsage, fmt.Errorf("header %q: write \"Name: value\"", line))
		}
		if strings.EqualFold(name, "Authorization") {
			return nil, withCode(codeUsage, errors.New("the connection signs the request; an Authorization header can't be given"))
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}

func readData(stdin io.Reader, data string) ([]byte, error) {
	name, isFile := strings.CutPrefix(data, "@")
	switch {
	case data == "":
		return nil, nil
	case !isFile:
		return []byte(data), nil
	case name == "-":
		return readInput(stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readInput(f)
}

func readInput(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxAPIInput+1))
	if err == nil && len(data) > maxAPIInput {
		err = fmt.Errorf("--data takes at most %s", roughly(maxAPIInput))
	}
	return data, err
}
