package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminal is the person at standard input, if there is one: what must be asked is asked there, and a command that nobody
// watches says what it would have asked for.
type terminal struct {
	in     *os.File
	out    io.Writer // for questions: standard error, so that standard output stays data
	person bool      // somebody is there

	lines chan string // once begun, all that is typed
}

// errNobody says that there is nobody to ask.
var errNobody = errors.New("there is no terminal to ask at")

func newTerminal(in io.Reader, out io.Writer) *terminal {
	t := &terminal{out: out}
	t.in, _ = in.(*os.File)
	t.person = t.in != nil && term.IsTerminal(int(t.in.Fd()))
	return t
}

// typed gives the lines that are typed from now on; the channel closes at the end of the input. A line that is waited for
// when the program ends stays with the terminal.
func (t *terminal) typed() <-chan string {
	if t.lines == nil {
		t.lines = make(chan string)
		go func() {
			defer close(t.lines)
			if t.in == nil {
				return
			}
			for s := bufio.NewScanner(t.in); s.Scan(); {
				t.lines <- s.Text()
			}
		}()
	}
	return t.lines
}

// ask asks for a line and gives it without the spaces around it.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	answer, err := t.line(ctx, question)
	return strings.TrimSpace(answer), err
}

// line asks for a line.
func (t *terminal) line(ctx context.Context, question string) (string, error) {
	if !t.person {
		return "", errNobody
	}
	fmt.Fprint(t.out, question)
	select {
	case line, ok := <-t.typed():
		if !ok {
			return "", io.ErrUnexpectedEOF
		}
		return line, nil
	case <-ctx.Done():
		fmt.Fprintln(t.out)
		return "", ctx.Err()
	}
}

// confirm asks a question whose answer is no unless it is yes.
func (t *terminal) confirm(ctx context.Context, question string) (bool, error) {
	answer, err := t.ask(ctx, question+" [y/N] ")
	return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes"), err
}

// secret asks for a line that is not shown, and gives it as it was typed. The terminal is told so before the question, and not after it as by
// term.ReadPassword, for people paste fast.
func (t *terminal) secret(ctx context.Context, question string) (string, error) {
	if !t.person {
		return "", errNobody
	}
	fd := int(t.in.Fd())
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("asking at the terminal: %w", err)
	}
	quiet := *settings
	quiet.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return "", fmt.Errorf("asking at the terminal: %w", err)
	}
	answer, err := t.line(ctx, question)
	if err == nil {
		fmt.Fprintln(t.out) // the one that was typed was not shown either
	}
	return answer, errors.Join(err, unix.IoctlSetTermios(fd, unix.TCSETS, settings))
}
