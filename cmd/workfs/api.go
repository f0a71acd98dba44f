package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
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

func apiCommand(g *global) *cobra.Command {
	var connection, data string
	var headers []string
	cmd := &cobra.Command{
		Use:   "api METHOD PATH",
		Short: "Send a request to the API behind a connection",
		Long: "Send a request to the API behind a connection, with its sign-in, limits and retries, and print the answer.\n" +
			"PATH is that of the API's documentation: /me/messages?$top=5 or /v1.0/… for Microsoft Graph, /users/me or /2.0/… for Box.",
		Example: "  workfs api GET '/me/mailFolders?$top=3' -c contoso\n  workfs api GET /folders/0/items -c box",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, options, closeLog, err := g.direct(cmd, connection)
			if err != nil {
				return err
			}
			defer closeLog()
			header, err := parseHeaders(headers)
			if err != nil {
				return err
			}
			body, err := readData(cmd.InOrStdin(), data)
			if err != nil {
				return err
			}
			client, err := all.API(conn, options)
			if err != nil {
				return err
			}
			method := strings.ToUpper(args[0])
			if body != nil && header.Get("Content-Type") == "" {
				header.Set("Content-Type", "application/json")
			}
			res, err := client.Do(cmd.Context(), method, versioned(conn.Type, args[1]), header, body)
			if err != nil {
				return apiError(err, args[1])
			}
			_, err = cmd.OutOrStdout().Write(endLine(res.Body))
			return err
		},
	}
	f := cmd.Flags()
	connectionFlag(f, &connection)
	f.StringArrayVarP(&headers, "header", "H", nil, "further header, \"Name: value\"")
	f.StringVar(&data, "data", "", "body of the request; @FILE or @- reads it")
	return cmd
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
	case refused.Status == 0 && strings.Contains(path, "://") && errors.Is(err, backends.ErrBroken):
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

// endLine ends JSON with a newline, which the services leave out.
func endLine(body []byte) []byte {
	if n := len(body); n > 0 && (body[n-1] == '}' || body[n-1] == ']') {
		return append(body, '\n')
	}
	return body
}

// oneConnection gives the named connection, or the only one.
func oneConnection(connections []backends.Connection, name string) (backends.Connection, error) {
	var names []string
	for _, c := range connections {
		if c.Name == name || name == "" && len(connections) == 1 {
			return c, nil
		}
		names = append(names, c.Name)
	}
	if name == "" {
		return backends.Connection{}, withCode(codeUsage, fmt.Errorf("which connection? -c %s", strings.Join(names, " or -c ")))
	}
	return backends.Connection{}, withCode(codeUsage, fmt.Errorf("there is no connection %q: choose from %s", name, strings.Join(names, ", ")))
}

// versioned puts the API's version before a path that has none. Whole addresses pass: the client refuses other hosts.
func versioned(kind, path string) string {
	if strings.Contains(path, "://") {
		return path
	}
	path = "/" + strings.TrimPrefix(path, "/")
	prefixes, version := []string{"/v1.0/", "/beta/"}, "/v1.0"
	if kind == "box" {
		prefixes, version = []string{"/2.0/"}, "/2.0"
	}
	for _, p := range prefixes {
		if strings.HasPrefix(path, p) {
			return path
		}
	}
	return version + path
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
		return io.ReadAll(io.LimitReader(stdin, maxAPIInput))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxAPIInput))
}
