package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxSecret bounds a secret in bytes; keys have a few kilobytes.
const maxSecret = 64 << 10

// askSecret asks for a secret at the terminal, or reads it from standard input where nobody sits there. name says which, as in
// "client secret". An empty one is an error.
func askSecret(ctx context.Context, t *terminal, stdin io.Reader, name string) (string, error) {
	if !t.person {
		return readSecret(stdin, "standard input", name)
	}
	text, err := t.secret(ctx, strings.ToUpper(name[:1])+name[1:]+" (not shown): ")
	if err == nil && text == "" {
		err = withCode(codeUsage, errors.New("the "+name+" is empty"))
	}
	return text, err
}

// readSecret reads a secret to the end of in, which from says in words. What ends its line is cut off and nothing else: spaces
// may belong to it. An empty one is an error.
func readSecret(in io.Reader, from, name string) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading the %s from %s: %w", name, from, err)
	}
	if len(data) > maxSecret {
		return "", withCode(codeUsage, fmt.Errorf("%s has more than %s: that is no %s", from, roughly(maxSecret), name))
	}
	text, ended := strings.CutSuffix(string(data), "\n")
	if ended {
		text = strings.TrimSuffix(text, "\r")
	}
	if strings.Trim(text, "\r\n") == "" {
		return "", withCode(codeUsage, fmt.Errorf("%s has no %s", from, name))
	}
	return text, nil
}
